/**
 * What is known of each key, from all three sides: the recount, the counter in the changelog, and the row of the table. The
 * only thing of `verify` that grows: with the number of keys, by about 400 bytes each with four windows, and not with the
 * number of logins. An entry is a run of numbers in a typed array, outside of the heap:
 *
 *     the fields below, then the rolling counts, by window:
 *     recounted as of the final stream time | recounted as of the row's time | of the counter | of the row
 *
 * Places are kept as offset + 1, so that 0, which everything begins with, says that there is none.
 */
import { partitionOf } from './partitioner.ts'

export const field = {
  /** The partition of the changelog and of the table that the key belongs to. */
  partition: 0,
  count: 1,
  firstSeen: 2,
  lastSeen: 3,
  counterPlace: 4,
  counterCount: 5,
  counterFirstSeen: 6,
  counterLastSeen: 7,
  rowPlace: 8,
  rowCount: 9,
  rowFirstSeen: 10,
  rowLastSeen: 11,
  rowAsOf: 12,
  /** Of the last row, which under load is not always the one that is compared. */
  lastRowCount: 13,
  /** Where the table's last tombstone of the key stands. */
  tombstonePlace: 14,
} as const

const fixedFields = 15

/** Which of the four rolling counts of an entry. */
export const rolling = { final: 0, asOfRow: 1, counter: 2, row: 3 } as const

const entriesPerChunk = 1024

/** More keys than are to be held at once: to be compared in more passes. */
export class TooManyKeys extends Error {
  override readonly name = 'TooManyKeys'
}

export interface LedgerOptions {
  /** Rolling windows. */
  readonly windowCount: number
  /** Partitions of the changelog. */
  readonly partitionCount: number
  /** Whether a key is looked at in this pass; all are if absent. */
  readonly holds?: (key: string) => boolean
  readonly mostKeys?: number
}

export class Ledger {
  readonly keys: string[] = []
  readonly partitionCount: number
  readonly windowCount: number
  readonly #indices = new Map<string, number>()
  readonly #chunks: Float64Array[] = []
  readonly #fields: number
  readonly #holds: (key: string) => boolean
  readonly #mostKeys: number

  constructor({ windowCount, partitionCount, holds, mostKeys }: LedgerOptions) {
    this.windowCount = windowCount
    this.partitionCount = partitionCount
    this.#fields = fixedFields + 4 * windowCount
    this.#holds = holds ?? (() => true)
    this.#mostKeys = mostKeys ?? Number.POSITIVE_INFINITY
  }

  /** The number of the key's entry; -1 if there is none. */
  find(key: string): number {
    return this.#indices.get(key) ?? -1
  }

  /** The same, made if need be; -1 for a key that is not looked at. Throws TooManyKeys. */
  entry(key: string): number {
    const found = this.#indices.get(key)
    if (found !== undefined) return found
    return this.#holds(key) ? this.make(key, this.partitionFor(key)) : -1
  }

  holds(key: string): boolean {
    return this.#holds(key)
  }

  partitionFor(key: string): number {
    return partitionOf(Buffer.from(key), this.partitionCount)
  }

  /** A new entry. Throws TooManyKeys. */
  make(key: string, partition: number): number {
    const index = this.keys.length
    if (index >= this.#mostKeys) throw new TooManyKeys()
    this.keys.push(key)
    this.#indices.set(key, index)
    if (index % entriesPerChunk === 0) this.#chunks.push(new Float64Array(entriesPerChunk * this.#fields))
    this.set(index, field.partition, partition)
    return index
  }

  get(index: number, at: number): number {
    return this.chunk(index)[this.base(index) + at] ?? 0
  }

  set(index: number, at: number, value: number): void {
    this.chunk(index)[this.base(index) + at] = value
  }

  /** The place of a rolling count among the fields of an entry. */
  rollingAt(which: number, window: number): number {
    return fixedFields + which * this.windowCount + window
  }

  /** For who changes many fields of an entry: the array that holds it, and where in it the entry begins. */
  chunk(index: number): Float64Array {
    const chunk = this.#chunks[Math.floor(index / entriesPerChunk)]
    if (chunk === undefined) throw new RangeError(`There is no entry ${index}`)
    return chunk
  }

  base(index: number): number {
    return (index % entriesPerChunk) * this.#fields
  }
}

/** Whether a key belongs to a pass: FNV-1a of its UTF-16 units, which has nothing to do with Kafka's partitions. */
export function isInPass(key: string, pass: number, passes: number): boolean {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return ((hash ^ (hash >>> 15)) >>> 0) % passes === pass
}
