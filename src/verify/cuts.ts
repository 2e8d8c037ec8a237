/**
 * The commits of one partition of the changelog, as far as they are still there: each is a cut through the input (up to where
 * each of its partitions was counted), with what the counters of some keys were at it. Of too many commits every second one is
 * dropped, again and again, so that memory is bounded; a closer look at a part of them then finds the others.
 */
import { counterOf, readChangelogRecord, readMeta } from './changelog.ts'
import type { CommittedBatch } from './read-committed.ts'
import type { KafkaRecord } from './record-batch.ts'

/** What a counter was. */
export interface Published {
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
}

export interface Cut {
  /** Its number among all that were read. */
  readonly number: number
  /** Of the meta record; of a last cut that is no commit, of the meta record of the last commit. */
  readonly offset: number
  /** By key: its first record behind the last commit, in a last cut that is no commit. */
  readonly behind: ReadonlyMap<string, number>
  /** Places so far at which compaction has removed something. */
  readonly holes: number
  /** Offsets (exclusive) by partition of the input. */
  readonly counted: ReadonlyMap<number, number>
  /** By key; null: it was in no record so far. Absent: compaction has removed the record that said it. */
  readonly published: ReadonlyMap<string, Published | null>
}

/** Only commits whose meta record is in these offsets, both inclusive, are kept. */
export interface Window {
  readonly from: number
  readonly to: number
}

export class Cuts {
  readonly #partition: number
  readonly #inputTopic: string
  readonly #keys: ReadonlySet<string>
  readonly #window: Window
  readonly #most: number
  #kept: Cut[] = []
  #stride = 1
  #number = 0
  #holes: number
  #meta: { readonly value: Buffer; readonly offset: number } | null = null
  readonly #published = new Map<string, Published | null>()
  /** By key: its first record since the last meta record. */
  #behind = new Map<string, number>()

  constructor(options: {
    readonly partition: number
    readonly inputTopic: string
    readonly keys: ReadonlySet<string>
    readonly window: Window
    readonly most: number
    /** The first records of the partition are gone. */
    readonly isStartGone: boolean
  }) {
    this.#partition = options.partition
    this.#inputTopic = options.inputTopic
    this.#keys = options.keys
    this.#window = options.window
    this.#most = options.most
    this.#holes = options.isStartGone ? 1 : 0
  }

  /** The batches of the partition, from its start on. */
  add({ records, hasHoles }: CommittedBatch): void {
    // It may be anywhere in the batch: what is in front of it is not told apart.
    if (hasHoles) this.#holes++
    for (const record of records) this.#addRecord(record)
  }

  #addRecord(record: KafkaRecord): void {
    const { offset } = record
    const read = readChangelogRecord(record, this.#partition)
    if (read.kind === 'meta') {
      this.#meta = { value: read.value, offset }
      this.#behind = new Map()
      const number = this.#number++
      const { from, to } = this.#window
      const isDue = this.#kept.length === 0 || number % this.#stride === 0 || offset === to
      if (isDue && offset >= from && offset <= to) this.#keep(this.#cut(number, offset, new Map()))
    } else if (this.#keys.has(read.key)) {
      this.#published.set(read.key, read.value === null ? null : counterOf(read.value, offset))
      if (!this.#behind.has(read.key)) this.#behind.set(read.key, offset)
    }
  }

  #keep(cut: Cut): void {
    this.#kept.push(cut)
    if (this.#kept.length < this.#most) return
    this.#stride *= 2
    this.#kept = this.#kept.filter(({ number }, index) => index === 0 || number % this.#stride === 0)
  }

  #cut(number: number, offset: number, behind: ReadonlyMap<string, number>): Cut {
    return {
      ...{ number, offset, behind, holes: this.#holes },
      counted: this.#meta === null ? new Map() : countedBy(this.#meta, this.#inputTopic),
      published: this.#publishedNow(),
    }
  }

  #publishedNow(): Map<string, Published | null> {
    const published = new Map<string, Published | null>()
    for (const key of this.#keys) {
      const found = this.#published.get(key)
      if (found !== undefined) published.set(key, found)
      else if (this.#holes === 0) published.set(key, null)
    }
    return published
  }

  /** When all has been read: the cuts in their order, the last one always among them. */
  finish(): readonly Cut[] {
    const { offset } = this.#meta ?? { offset: 0 }
    const { to } = this.#window
    if (this.#behind.size > 0 && Math.min(...this.#behind.values()) <= to)
      this.#kept.push(this.#cut(this.#number, offset, this.#behind))
    else if (this.#behind.size === 0 && this.#meta !== null && offset <= to) this.#keepLast(offset)
    return this.#kept
  }

  #keepLast(offset: number): void {
    const number = this.#number - 1
    if (this.#kept.at(-1)?.number !== number) this.#kept.push(this.#cut(number, offset, new Map()))
  }
}

function countedBy(meta: { value: Buffer; offset: number }, inputTopic: string): ReadonlyMap<number, number> {
  const counted = Object.entries(readMeta(meta.value, meta.offset).counted[inputTopic] ?? {})
  return new Map(counted.map(([partition, end]) => [Number(partition), end]))
}
