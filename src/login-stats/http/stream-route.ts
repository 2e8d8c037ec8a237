/**
 * Server-sent events. Each client has a sender of its own, which collects what has changed and sends it a few times a second: of each key
 * the last row. A client that reads too slowly gets fewer events, not older ones; one for which too much has changed is told to ask
 * for the table again. Memory per client is bounded by that.
 */

import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { CodedError } from '../../errors.ts'
import { systemClock } from '../../system/clock.ts'
import { summaryOf } from '../follow/summary.ts'
import type { ProcessMetrics } from '../metrics/process-metrics.ts'
import type { RowChange } from '../table/index.ts'
import { dimensionOfKey } from '../table/rows.ts'
import type { Answers } from './answers.ts'
import { errorSchema } from './api-schemas.ts'
import { summaryQuery } from './table-routes.ts'

const eventNames = ['rows', 'summary', 'tasks'] as const
type EventName = (typeof eventNames)[number]

const mostClients = 100
/** More changed rows than this between two events are not worth sending one by one. */
const mostChangedRows = 5000
const rowsEveryMs = 250
const summaryEveryMs = 1000
/** Also while nothing changes, so that its age is known. */
const summaryAtLeastEveryMs = 5000
const tasksEveryMs = 2000
const heartbeatMs = 10_000
const reconnectMs = 2000

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

type StreamQuery = z.output<typeof streamQuery>

export function addStreamRoute(server: FastifyInstance, answers: Answers, metrics: ProcessMetrics): void {
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
        response: { 503: errorSchema },
      },
    },
    async (request, reply) => {
      if (clients.size >= mostClients) {
        throw new CodedError('TOO_MANY_CLIENTS', {
          operation: 'follow the events',
          detail: `${mostClients} clients follow them already.`,
        })
      }
      const following = await answers.begin()
      reply.hijack()
      const sender = new EventSender(reply.raw, answers, request.query)
      clients.add(sender)
      metrics.streamClients.set(clients.size)
      const release = answers.hold()
      const changed = (change: RowChange) => sender.changed(change)
      const restarted = () => sender.reload()
      following.table.on('change', changed)
      following.table.on('restart', restarted)
      reply.raw.once('close', () => {
        following.table.off('change', changed)
        following.table.off('restart', restarted)
        sender.end()
        release()
        clients.delete(sender)
        metrics.streamClients.set(clients.size)
      })
      sender.start()
    },
  )
}

class EventSender {
  readonly #out: ServerResponse
  readonly #answers: Answers
  readonly #query: StreamQuery
  readonly #changed = new Map<string, RowChange>()
  readonly #cancels = new Set<() => void>()
  #mustReload = false
  #hasChanged = true
  #summaryAt = Number.NEGATIVE_INFINITY
  #isEnded = false

  constructor(out: ServerResponse, answers: Answers, query: StreamQuery) {
    this.#out = out
    this.#answers = answers
    this.#query = query
  }

  start(): void {
    this.#out.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    })
    this.#out.write(`retry: ${reconnectMs}\n\n`)
    if (this.#wants('rows')) this.#every(rowsEveryMs, () => this.#sendRows())
    if (this.#wants('summary')) this.#every(summaryEveryMs, () => this.#sendSummary())
    if (this.#wants('tasks')) this.#every(tasksEveryMs, () => this.#sendTasks())
    this.#every(heartbeatMs, async () => void this.#out.write(':\n\n'))
  }

  changed(change: RowChange): void {
    this.#hasChanged = true
    const { dimension } = this.#query
    if (!this.#wants('rows') || this.#mustReload) return
    if (dimension !== undefined && dimensionOfKey(change.key) !== dimension) return
    this.#changed.set(change.key, change)
    if (this.#changed.size > mostChangedRows) this.reload()
  }

  reload(): void {
    this.#hasChanged = true
    this.#changed.clear()
    this.#mustReload = true
  }

  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    for (const cancel of this.#cancels) cancel()
    this.#out.end()
  }

  #wants(name: EventName): boolean {
    return this.#query.events.includes(name)
  }

  async #sendRows(): Promise<void> {
    const { table } = await this.#answers.begin()
    if (this.#mustReload) {
      this.#mustReload = false
      this.#send('reload', {})
    }
    // Rows of a table that is being read are no news.
    if (this.#changed.size === 0 || !table.isComplete) return
    const changes = [...this.#changed.values()]
    this.#changed.clear()
    const total = await table.get('total')
    this.#send('rows', {
      ...{ as_of: total?.as_of ?? null, age_ms: table.ageMs, is_complete: true },
      rows: changes.map(({ key, row }) => row ?? { key, deleted: true }),
    })
  }

  async #sendSummary(): Promise<void> {
    const now = systemClock.monotonic()
    if (!this.#hasChanged && now - this.#summaryAt < summaryAtLeastEveryMs) return
    this.#hasChanged = false
    this.#summaryAt = now
    const { limit, window } = this.#query
    this.#send(
      'summary',
      await summaryOf(await this.#answers.begin(), {
        limit,
        window: window ?? null,
        dimensions: this.#answers.dimensions,
      }),
    )
  }

  async #sendTasks(): Promise<void> {
    this.#send('tasks', await this.#answers.tasks())
  }

  #send(event: string, data: object): void {
    if (!this.#isEnded) this.#out.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  /** Now, and `intervalMs` after each end; left out while the client has not taken what was sent before. */
  #every(intervalMs: number, work: () => Promise<void>): void {
    let cancel = (): void => undefined
    const again = async (): Promise<void> => {
      try {
        if (!this.#out.writableNeedDrain) await work()
      } catch (error) {
        // A table or a broker that cannot be asked now: the next event may tell more.
        if (!(error instanceof CodedError)) throw error
      }
      this.#cancels.delete(cancel)
      if (this.#isEnded) return
      cancel = systemClock.setTimer(intervalMs, again)
      this.#cancels.add(cancel)
    }
    void again()
  }
}
