/**
 * What one client of the event stream gets: of each key the last row, a few times a second; the summary; the tasks. A client that reads too
 * slowly gets fewer events, not older ones; one for which too much has changed is told to ask for the table again, and one that takes
 * nothing for long is let go. So the memory that it costs is bounded. While the table is being read nothing is told of its rows: then to ask
 * for them again.
 */
import type { ServerResponse } from 'node:http'
import { coded } from '../../errors.ts'
import type { Log } from '../../ports/log.ts'
import { systemClock } from '../../system/clock.ts'
import { dimensionNameOf } from '../domain/dimensions.ts'
import { readFresh } from '../follow/freshness.ts'
import { summaryWhileRead } from '../follow/summary.ts'
import type { Limits } from '../limits.ts'
import type { LoginStatsTable, RowChange } from '../table/index.ts'
import type { Answers } from './answers.ts'
import { answerHeaders } from './plain-answers.ts'

export const eventNames = ['rows', 'summary', 'tasks'] as const
export type EventName = (typeof eventNames)[number]

export interface WantedEvents {
  readonly events: readonly EventName[]
  /** Only changed rows of this dimension. */
  readonly dimension?: string | undefined
  /** Rows of the summary, and the window that they are ordered by. */
  readonly limit: number
  readonly window?: string | undefined
}

const rowsEveryMs = 250
const summaryEveryMs = 1000
/** Also while nothing changes, so that its age is known. */
const summaryAtLeastEveryMs = 5000
const tasksEveryMs = 2000
const heartbeatMs = 10_000
const reconnectMs = 2000
/** A client that has taken nothing for so long is let go. */
export const drainWithinMs = 30_000

export class EventSender {
  readonly #out: ServerResponse
  readonly #answers: Answers
  readonly #log: Log
  readonly #query: WantedEvents
  readonly #mostChangedRows: number
  readonly #changed = new Map<string, RowChange>()
  readonly #cancels = new Set<() => void>()
  /** What has changed before, or while the connection was lost, is not sent: changes are of no use without the rows that they change. */
  #mustReload = true
  #hasChanged = true
  #summaryAt = Number.NEGATIVE_INFINITY
  #isEnded = false
  #blockedSince: number | null = null

  constructor(out: ServerResponse, answers: Answers, log: Log, query: WantedEvents, { changedRows }: Limits) {
    this.#out = out
    this.#answers = answers
    this.#log = log
    this.#query = query
    this.#mostChangedRows = changedRows
  }

  /** `table`: to begin with. */
  start(table: LoginStatsTable): void {
    this.#out.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
      ...answerHeaders,
    })
    this.#out.write(`retry: ${reconnectMs}\n\n`)
    // Before any other event, where that is possible.
    if (this.#wants('rows')) this.#sendReload(table)
    if (this.#wants('rows')) this.#every(rowsEveryMs, () => this.#sendRows())
    if (this.#wants('summary')) this.#every(summaryEveryMs, () => this.#sendSummary())
    if (this.#wants('tasks')) this.#every(tasksEveryMs, () => this.#sendTasks())
    this.#every(heartbeatMs, async () => void this.#out.write(':\n\n'))
  }

  changed(change: RowChange): void {
    this.#hasChanged = true
    const { dimension } = this.#query
    if (!this.#wants('rows') || this.#mustReload) return
    if (dimension !== undefined && dimensionNameOf(change.key) !== dimension) return
    this.#changed.set(change.key, change)
    if (this.#changed.size > this.#mostChangedRows) this.reload()
  }

  /** The client shall ask for all rows once more, as soon as they are there. */
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
    this.#sendReload(table)
    if (this.#changed.size === 0) return
    const rows = await readFresh(table, systemClock, async () => {
      // Whatever changes from here on comes with the next event.
      const changes = [...this.#changed.values()]
      this.#changed.clear()
      return { rows: changes.map(({ key, row }) => row ?? { key, deleted: true }) }
    })
    this.#send('rows', rows)
  }

  /** Who asks while the table is being read would ask in vain. */
  #sendReload(table: LoginStatsTable): void {
    if (!this.#mustReload || !table.isComplete) return
    this.#mustReload = false
    this.#send('reload', {})
  }

  async #sendSummary(): Promise<void> {
    const now = systemClock.monotonic()
    if (!this.#hasChanged && now - this.#summaryAt < summaryAtLeastEveryMs) return
    this.#hasChanged = false
    this.#summaryAt = now
    const following = await this.#answers.begin()
    const { limit, window } = this.#query
    const options = { limit, window: window ?? null }
    const summary = following.table.isComplete
      ? await this.#answers.summary(following, options)
      : summaryWhileRead(following)
    this.#send('summary', summary)
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
        if (!this.#isBlocked()) await work()
      } catch (cause) {
        // A table or a broker that cannot be asked now: a later event may tell more.
        this.#log.debug({ error: coded(cause, 'send an event') }, 'An event could not be made')
      }
      this.#cancels.delete(cancel)
      if (this.#isEnded) return
      cancel = systemClock.setTimer(intervalMs, again)
      this.#cancels.add(cancel)
    }
    void again()
  }

  #isBlocked(): boolean {
    if (!this.#out.writableNeedDrain) {
      this.#blockedSince = null
      return false
    }
    const now = systemClock.monotonic()
    this.#blockedSince ??= now
    if (now - this.#blockedSince > drainWithinMs) this.#out.destroy()
    return true
  }
}
