/** Server-sent events: each client has a sender of its own. */
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { CodedError } from '../../errors.ts'
import type { Log } from '../../ports/log.ts'
import type { Limits } from '../limits.ts'
import type { ProcessMetrics } from '../metrics/process-metrics.ts'
import type { RowChange } from '../table/index.ts'
import type { Answers } from './answers.ts'
import { changedRowsSchema, errorSchema, summarySchema, tasksSchema } from './api-schemas.ts'
import { refuseMethod } from './error-answers.ts'
import { EventSender, eventNames } from './event-sender.ts'
import { failures, passing } from './failures.ts'
import { knownNames } from './known-names.ts'
import { summaryQuery } from './table-routes.ts'

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

const event = <Name extends string, Data extends z.ZodType>(name: Name, data: Data, when: string) =>
  z.object({ event: z.literal(name), data }).describe(when)

const eventsSchema = z.union([
  event(
    'reload',
    z.object({}),
    'Ask /api/table for all rows: before any `rows`, where too much has changed, and where the table was read anew.',
  ),
  event('rows', changedRowsSchema, 'Rows that have changed, each as it is now, at most four times a second.'),
  event(
    'summary',
    summarySchema,
    'As /api/summary: once a second while rows change, else every five seconds. While the table is being read `is_complete` is false, and nothing is told of its rows.',
  ),
  event('tasks', tasksSchema, 'As /api/tasks: every two seconds.'),
])

const eventsDescription = `Each event has a name and one line of data, which is JSON. To follow the table: on \`reload\` ask /api/table for the rows, \
then apply \`rows\`. \`reload\` comes before any \`rows\` of a connection, as soon as the server has read the table, also where EventSource has \
connected again by itself, so events need no ids: what was missed is in the rows. Where rows are not wanted there is no \`reload\`, for each \`summary\` and \`tasks\` is whole. Comments keep the \
connection awake.`

export function addStreamRoute(
  server: FastifyInstance,
  answers: Answers,
  { metrics, log, limits }: { readonly metrics: ProcessMetrics; readonly log: Log; readonly limits: Limits },
): void {
  /** How to end each client. */
  const clients = new Set<() => void>()
  server.addHook('preClose', async () => {
    for (const end of clients) end()
  })
  server.head('/api/stream', { schema: { hide: true } }, (_, reply) => refuseMethod(reply, ['GET']))
  server.withTypeProvider<ZodTypeProvider>().get(
    '/api/stream',
    {
      // A connection would wait for events that have no place in its answer.
      exposeHeadRoute: false,
      schema: {
        summary: 'Server-sent events: changed rows, the summary, the tasks.',
        description: eventsDescription,
        querystring: streamQuery,
        response: {
          200: {
            description: 'Events, for as long as the client listens.',
            content: { 'text/event-stream': { schema: eventsSchema } },
          },
          400: errorSchema,
          ...failures,
          503: passing(
            'TOO_MANY_CLIENTS: as many follow the events as this instance takes. TABLE_NOT_READ: the process ends.',
          ),
        },
      },
    },
    async (request, reply) => {
      if (clients.size >= limits.streamClients) {
        throw new CodedError('TOO_MANY_CLIENTS', {
          operation: 'follow the events',
          detail: `${limits.streamClients} clients follow them already.`,
        })
      }
      // Before anything is waited for: the client may go meanwhile, and others may come.
      const release = answers.hold()
      let isEnded = false
      let stop = (): void => undefined
      const end = (): void => {
        if (isEnded) return
        isEnded = true
        stop()
        release()
        clients.delete(end)
        metrics.streamClients.set(clients.size)
      }
      clients.add(end)
      metrics.streamClients.set(clients.size)
      reply.raw.once('close', end)
      try {
        const { table } = await answers.begin()
        const query = { ...request.query, ...(await knownNames(table, answers.counted, request.query)) }
        if (reply.raw.destroyed) return reply.hijack()
        if (isEnded) {
          const detail = 'The process ends.'
          throw new CodedError('TABLE_NOT_READ', { operation: 'follow the events', detail })
        }
        const sender = new EventSender(reply.raw, answers, log, query, limits)
        const changed = (change: RowChange) => sender.changed(change)
        const reload = () => sender.reload()
        table.on('change', changed)
        table.on('restart', reload)
        table.on('ready', reload)
        stop = () => {
          table.off('change', changed)
          table.off('restart', reload)
          table.off('ready', reload)
          sender.end()
        }
        reply.hijack()
        sender.start(table)
      } catch (error) {
        end()
        throw error
      }
    },
  )
}
