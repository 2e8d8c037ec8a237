import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Answers } from './answers.ts'
import { tasksSchema } from './api-schemas.ts'
import { failures, passing } from './failures.ts'

export function addTaskRoutes(server: FastifyInstance, answers: Answers): void {
  const routes = server.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/api/tasks',
    {
      schema: {
        summary:
          'Where each task is, how far it is behind, how far restores are, and where standby copies are.',
        response: {
          200: tasksSchema,
          ...failures,
          503: passing('Others: why Kafka cannot be asked.'),
        },
      },
    },
    () => answers.tasks(),
  )
  // For the other instances: not part of what is promised.
  server.get('/api/instance', { schema: { hide: true } }, () => answers.report())
}
