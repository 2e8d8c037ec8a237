/**
 * The changelog, folded: the last value of each key and the last meta record of each partition.
 *
 * A record's key is one byte for its kind (1: an entry, 0: the meta record) and then the key. The meta record's value is JSON;
 * of it are used `counted` (by source topic and partition: the offset up to which the entries have counted), `streamTime`,
 * `fingerprint`, `topicIds` (of the source topics) and `inputOffsets` (by topic: what the same transaction has committed).
 *
 * An entry's value is the time of the key's timer (8 bytes, which say nothing of the counts) and then a counter, in unsigned
 * varints (7 bits a byte, the lowest first):
 *
 *     format (one byte: 1), count, first seen (ms), last seen - first seen, number of windows;
 *     for each window: number of panes; for each pane: its number less that of the one before, its count
 */
import { CodedError } from '../errors.ts'
import { field, type Ledger, rolling } from './ledger.ts'
import { Misplaced } from './misplaced.ts'
import type { KafkaRecord } from './record-batch.ts'
import type { RecountRules, Window } from './recount.ts'

export interface Counter {
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
  /** By window, in the order of the setting: pane numbers and their counts. */
  readonly panes: readonly (readonly [pane: number, count: number])[][]
}

/** What the meta record of a commit says. */
export interface CommitMeta {
  readonly version: number
  readonly fingerprint: Readonly<Record<string, string>>
  readonly topicIds: Readonly<Record<string, string>>
  readonly inputOffsets: Readonly<Record<string, number>>
  readonly counted: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Milliseconds since the epoch; null before the first event. */
  readonly streamTime: number | null
}

/** What a record of the changelog says; a null value deletes. */
export type ChangelogRecord =
  | { readonly kind: 'entry'; readonly key: string; readonly value: Buffer | null }
  | { readonly kind: 'meta'; readonly value: Buffer }

/** What stands before the counter in an entry. */
const timerBytes = 8

/** Throws CORRUPT_BATCH for a record that no changelog has. */
export function readChangelogRecord({ key, value, offset }: KafkaRecord, partition: number): ChangelogRecord {
  if (key !== null && key[0] === 1) return { kind: 'entry', key: key.toString('utf8', 1), value }
  if (key !== null && key.length === 1 && key[0] === 0 && value !== null) return { kind: 'meta', value }
  throw new CodedError('CORRUPT_BATCH', {
    operation: 'read the changelog',
    partition,
    offset,
    detail: 'The record is neither an entry nor a meta record.',
  })
}

/** Throws FORMAT_TOO_NEW. */
export function readMeta(value: Buffer, offset: number): CommitMeta {
  const meta: CommitMeta = JSON.parse(value.toString())
  if (meta.version !== 1) throw tooNew(meta.version, offset)
  return meta
}

/** The counter of an entry of the changelog. Throws CORRUPT_BATCH, FORMAT_TOO_NEW. */
export function counterOf(value: Buffer, offset: number): Counter {
  return decodeCounter(value.subarray(timerBytes), offset)
}

/** One partition as of its last commit. */
export class ChangelogPartition {
  #meta: CommitMeta | null = null
  #bytes: Buffer | null = null
  #offset = 0

  /** Only the last meta record of many will be looked into. */
  setMeta(value: Buffer, offset: number): void {
    this.#bytes = Buffer.from(value)
    this.#offset = offset
    this.#meta = null
  }

  /** Null before the first commit. Throws FORMAT_TOO_NEW. */
  get meta(): CommitMeta | null {
    if (this.#meta === null && this.#bytes !== null) this.#meta = readMeta(this.#bytes, this.#offset)
    return this.#meta
  }

  get streamTime(): number | null {
    return this.meta?.streamTime ?? null
  }

  /** By source partition of the input: the end (exclusive) of what is counted. */
  counted(inputTopic: string): ReadonlyMap<number, number> {
    const counted = Object.entries(this.meta?.counted[inputTopic] ?? {})
    return new Map(counted.map(([partition, end]) => [Number(partition), end]))
  }
}

/** All partitions, folded into a ledger. */
export class Changelog {
  readonly partitions: readonly ChangelogPartition[]
  readonly misplaced = new Misplaced('changelog')
  readonly #ledger: Ledger
  /** By entry of the ledger. A string of one byte a sign is the smallest thing that can be dropped again. */
  #values: (string | undefined)[] = []

  constructor(ledger: Ledger) {
    this.#ledger = ledger
    this.partitions = Array.from({ length: ledger.partitionCount }, () => new ChangelogPartition())
  }

  /** Throws CORRUPT_BATCH. */
  add(record: KafkaRecord, partition: number): void {
    const read = readChangelogRecord(record, partition)
    if (read.kind === 'meta') this.partitions[partition]?.setMeta(read.value, record.offset)
    else this.#addEntry(read.key, read.value, { partition, offset: record.offset })
  }

  #addEntry(key: string, value: Buffer | null, place: { partition: number; offset: number }): void {
    const ledger = this.#ledger
    const index = ledger.entry(key)
    if (index < 0) return
    const own = ledger.get(index, field.partition)
    if (place.partition !== own) {
      if (value === null) this.misplaced.delete(key, place.partition)
      else this.misplaced.put(key, own, place)
      return
    }
    ledger.set(index, field.counterPlace, value === null ? 0 : place.offset + 1)
    this.#values[index] = value?.toString('latin1', timerBytes)
  }

  /** When all has been read: puts the counters into the ledger. Throws CORRUPT_BATCH, FORMAT_TOO_NEW. */
  finish({ windows, panes }: RecountRules): void {
    const ledger = this.#ledger
    for (const index of ledger.keys.keys()) {
      const value = this.#values[index]
      if (value === undefined) continue
      const place = ledger.get(index, field.counterPlace)
      const counter = decodeCounter(Buffer.from(value, 'latin1'), place - 1)
      ledger.set(index, field.counterCount, counter.count)
      ledger.set(index, field.counterFirstSeen, counter.firstSeen)
      ledger.set(index, field.counterLastSeen, counter.lastSeen)
      const streamTime = this.partitions[ledger.get(index, field.partition)]?.streamTime ?? 0
      const sums = rollingOf(counter, streamTime, windows, panes)
      for (const [window, { name }] of windows.entries())
        ledger.set(index, ledger.rollingAt(rolling.counter, window), sums[name] ?? 0)
    }
    this.#values = []
  }
}

export function decodeCounter(bytes: Buffer, offset = 0): Counter {
  let at = 1
  const varint = (): number => {
    let number = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) throw unreadable(offset)
      number += (byte & 0x7f) * factor
      if (byte < 0x80) return number
    }
  }
  if (bytes[0] !== 1) throw tooNew(bytes[0], offset)
  const count = varint()
  const firstSeen = varint()
  const lastSeen = firstSeen + varint()
  const panes: [number, number][][] = []
  for (let windows = varint(); windows > 0; windows--) {
    const ofWindow: [number, number][] = []
    let pane = 0
    for (let left = varint(); left > 0; left--) {
      pane += varint()
      ofWindow.push([pane, varint()])
    }
    panes.push(ofWindow)
  }
  if (at !== bytes.length) throw unreadable(offset)
  return { count, firstSeen, lastSeen, panes }
}

/** The counter's rolling counts as of a stream time, by name of window. */
export function rollingOf(
  counter: Counter,
  streamTime: number,
  windows: readonly Window[],
  panes: number,
): Record<string, number> {
  const rolling: Record<string, number> = {}
  for (const [index, { name, durationMs }] of windows.entries()) {
    const last = Math.floor(streamTime / (durationMs / panes))
    const inside = counter.panes[index]?.filter(([pane]) => last - panes < pane && pane <= last)
    rolling[name] = inside?.reduce((sum, [, count]) => sum + count, 0) ?? 0
  }
  return rolling
}

function tooNew(version: unknown, offset: number): CodedError {
  return new CodedError('FORMAT_TOO_NEW', {
    operation: 'read the changelog',
    offset,
    detail: `The format is ${String(version)}; this program reads 1.`,
  })
}

function unreadable(offset: number): CodedError {
  return new CodedError('CORRUPT_BATCH', {
    operation: 'read the changelog',
    offset,
    detail: 'The entry is not a counter.',
  })
}
