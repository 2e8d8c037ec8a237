/** Server-sent events: each client has a sender of its own. */
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { CodedError } from '../../errors.ts'
import type { Log } from '../../ports/log.ts'
import type { ProcessMetrics } from '../metrics/process-metrics.ts'
import type { RowChange } from '../table/index.ts'
import type { Answers } from './answers.ts'
import { errorSchema } from './api-schemas.ts'
import { EventSender, eventNames } from './event-sender.ts'
import { summaryQuery } from './table-routes.ts'

const mostClients = 100

const streamQuery = z.strictObject({
  events: z
    .string()
    .default('rows')
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(eventNames)))
    .describe('rows, summary, tasks: one or several, separated by commas.'),
  dimension: z.string().max(1024).optional().describe('Only changed rows of this dimension.'),
  ...summaryQuery,
})

export function addStreamRoute(
  server: FastifyInstance,
  answers: Answers,
  { metrics, log }: { readonly metrics: ProcessMetrics; readonly log: Log },
): void {
  const clients = new Set<EventSender>()
  server.addHook('preClose', async () => {
    for (const client of clients) client.end()
  })
  server.withTypeProvider<ZodTypeProvider>().get(
    '/api/stream',
    {
      schema: {
        summary: 'Server-sent events: changed rows, the summary, the tasks.',
        querystring: streamQuery,
        response: { 400: errorSchema, 503: errorSchema },
      },
    },
    async (request, reply) => {
      if (clients.size >= mostClients) {
        throw new CodedError('TOO_MANY_CLIENTS', {
          operation: 'follow the events',
          detail: `${mostClients} clients follow them already.`,
        })
      }
      const sender = new EventSender(reply.raw, answers, log, request.query)
      // Before anything is waited for: the client may go meanwhile, and others may come.
      clients.add(sender)
      metrics.streamClients.set(clients.size)
      const release = answers.hold()
      let stopListening = (): void => undefined
      const end = (): void => {
        stopListening()
        sender.end()
        release()
        clients.delete(sender)
        metrics.streamClients.set(clients.size)
      }
      reply.raw.once('close', end)
      try {
        const { table } = await answers.begin()
        if (reply.raw.destroyed) return
        const changed = (change: RowChange) => sender.changed(change)
        const restarted = () => sender.reload()
        table.on('change', changed)
        table.on('restart', restarted)
        stopListening = () => {
          table.off('change', changed)
          table.off('restart', restarted)
        }
      } catch (error) {
        end()
        throw error
      }
      reply.hijack()
      sender.start()
    },
  )
}
