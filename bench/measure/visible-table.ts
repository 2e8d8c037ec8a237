/**
 * Watches a table with `read_committed`, independently of the systems:
 *
 *   1. A loop asks for the last stable offsets and notes when they move; that costs the machine next to nothing.
 *   2. The rows are read by the reader of `src/verify`, which shares no code with any of the systems, when nothing has moved for
 *      a while, so that reading does not take the cores from who is measured.
 *   3. When they say all that is expected, the time of the end is that at which the last of them had become visible (1).
 */
import { type KafkaClient, partitionsOf } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'
import { type KafkaReader, readRange } from '../../src/verify/index.ts'
import { type CountRow, TableContents } from './table-contents.ts'
import { Timeline } from './timeline.ts'

export interface WatchOptions {
  readonly kafka: KafkaClient
  readonly reader: KafkaReader
  readonly topic: string
  readonly partitions: number
  /** How a row reads; null for one that is no count. */
  readonly readRow: (key: string, value: string) => CountRow | null
  /** Time between two looks at the offsets; the precision of all times. */
  readonly pollMs: number
}

/** Rows are read when nothing has moved for so long ... */
const quietMs = 400
/** ... or, where something always moves, so long after the last reading. */
const longestUnreadMs = 20_000

export class VisibleTable {
  readonly contents = new TableContents()
  readonly timeline: Timeline
  readonly #options: WatchOptions
  readonly #positions: number[]
  #readAt: number
  #failure: unknown = null
  #isClosed = false
  readonly #polling: Promise<void>

  constructor(options: WatchOptions) {
    this.#options = options
    this.#positions = new Array(options.partitions).fill(0)
    this.#readAt = systemClock.monotonic()
    this.timeline = new Timeline(options.partitions, this.#readAt)
    this.#polling = this.#poll()
  }

  async #poll(): Promise<void> {
    const { kafka, topic, partitions, pollMs } = this.#options
    const all = partitionsOf(topic, partitions)
    while (!this.#isClosed) {
      try {
        const ends = await kafka.admin.listOffsets(all, 'lastStable')
        this.timeline.record(systemClock.monotonic(), ends)
      } catch (error) {
        this.#failure = error
        return
      }
      await systemClock.sleep(pollMs)
    }
  }

  /** Resolves when `isDone` says so of the rows read; rejects after `timeoutMs`, or when `ended` does. */
  async until(
    isDone: (contents: TableContents) => boolean,
    { timeoutMs, ended }: { readonly timeoutMs: number; readonly ended: Promise<never> },
  ): Promise<void> {
    const deadline = systemClock.monotonic() + timeoutMs
    let problem: { readonly error: unknown } | null = null
    ended.catch((error: unknown) => {
      problem = { error }
    })
    for (;;) {
      if (this.#failure !== null) throw this.#failure
      const now = systemClock.monotonic()
      if (this.#hasUnread() && this.#isWorthReading(now)) await this.#read()
      if (isDone(this.contents)) return
      if (problem !== null) throw (problem as { readonly error: unknown }).error
      if (now > deadline) {
        const found = `${this.contents.keyCount} keys, ${JSON.stringify(this.contents.sums)}`
        throw new Error(`Not all counts were visible within ${timeoutMs / 1000} s; found were ${found}.`)
      }
      await systemClock.sleep(20)
    }
  }

  /** When the table first said all that it says now. */
  completedAt(): number {
    let latest = Number.NEGATIVE_INFINITY
    for (const place of this.contents.places()) latest = Math.max(latest, this.#visibleAt(place))
    return latest
  }

  /** When the first row with the last count of this key could be seen; null where there is none. */
  keyVisibleAt(key: string): number | null {
    const place = this.contents.place(key)
    return place === null ? null : this.#visibleAt(place)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#polling
  }

  #visibleAt({ partition, offset }: { readonly partition: number; readonly offset: number }): number {
    const time = this.timeline.visibleAt(partition, offset)
    if (time === null) throw new Error('A row was read that could not be seen yet.')
    return time
  }

  #hasUnread(): boolean {
    return this.timeline.ends.some((end, partition) => end > (this.#positions[partition] ?? 0))
  }

  #isWorthReading(now: number): boolean {
    return now - this.timeline.movedAt >= quietMs || now - this.#readAt >= longestUnreadMs
  }

  async #read(): Promise<void> {
    const { reader, topic, readRow } = this.#options
    for (const [partition, to] of this.timeline.ends.entries()) {
      const from = this.#positions[partition] ?? 0
      await readRange(reader, { topic, partition, from, to }, ({ key, value, offset }) => {
        if (key === null || value === null) return
        const row = readRow(key.toString(), value.toString())
        if (row !== null) this.contents.add(row, partition, offset)
      })
      this.#positions[partition] = to
    }
    this.#readAt = systemClock.monotonic()
  }
}
