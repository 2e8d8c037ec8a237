import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Answers } from './answers.ts'
import { healthSchema } from './api-schemas.ts'
import { failures } from './failures.ts'

/** Probes. Neither asks Kafka anything. */
export function addHealthRoutes(server: FastifyInstance, answers: Answers): void {
  const routes = server.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/livez',
    {
      schema: { summary: 'Whether the process turns at all.', response: { ...failures, 200: healthSchema } },
    },
    async () => ({ status: 'ok' as const, reasons: [] }),
  )
  const response = { ...failures, 200: healthSchema, 503: healthSchema }
  routes.get(
    '/readyz',
    { schema: { summary: 'Whether every task that the group has given is running.', response } },
    async (_, reply) => {
      const health = answers.readiness()
      return reply.code(health.status === 'ok' ? 200 : 503).send(health)
    },
  )
}
