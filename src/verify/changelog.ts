/**
 * The changelog, folded: the last value of each key and the last meta record of each partition.
 *
 * A record's key is one byte for its kind (1: an entry, 0: the meta record) and then the key. The meta record's value is JSON;
 * of it, `counted` (by source topic and partition: the offset up to which the entries have counted) and `streamTime` are used.
 *
 * An entry's value is the time of the key's timer (8 bytes, which say nothing of the counts) and then a counter, in unsigned
 * varints (7 bits a byte, the lowest first):
 *
 *     format (one byte: 1), count, first seen (ms), last seen - first seen, number of windows;
 *     for each window: number of panes; for each pane: its number less that of the one before, its count
 */
import { CodedError } from '../errors.ts'
import type { KafkaRecord } from './record-batch.ts'
import type { Window } from './recount.ts'

export interface Counter {
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
  /** By window, in the order of the setting: pane numbers and their counts. */
  readonly panes: readonly (readonly [pane: number, count: number])[][]
}

export interface ChangelogPartition {
  readonly counters: Map<string, Counter>
  /** By source partition of the input: the end (exclusive) of what is counted. */
  counted: ReadonlyMap<number, number>
  /** Milliseconds since the epoch; null before the first event. */
  streamTime: number | null
  fingerprint: Readonly<Record<string, string>>
}

interface Meta {
  readonly version: number
  readonly fingerprint: Record<string, string>
  readonly counted: Record<string, Record<string, number>>
  readonly streamTime: number | null
}

/** What stands before the counter in an entry. */
const timerBytes = 8

export function emptyChangelogPartition(): ChangelogPartition {
  return { counters: new Map(), counted: new Map(), streamTime: null, fingerprint: {} }
}

/** Applies one record. Throws CORRUPT_BATCH for a record that no changelog has, FORMAT_TOO_NEW. */
export function foldChangelog(state: ChangelogPartition, record: KafkaRecord, inputTopic: string): void {
  const { key, value, offset } = record
  if (key !== null && key[0] === 1) {
    const name = key.toString('utf8', 1)
    if (value === null) state.counters.delete(name)
    else state.counters.set(name, decodeCounter(value.subarray(timerBytes), offset))
  } else if (key !== null && key.length === 1 && key[0] === 0 && value !== null) {
    const meta: Meta = JSON.parse(value.toString())
    if (meta.version !== 1) throw tooNew(meta.version, offset)
    const counted = Object.entries(meta.counted[inputTopic] ?? {})
    state.counted = new Map(counted.map(([partition, end]) => [Number(partition), end]))
    state.streamTime = meta.streamTime
    state.fingerprint = meta.fingerprint
  } else {
    throw new CodedError('CORRUPT_BATCH', {
      operation: 'read the changelog',
      offset,
      detail: 'The record is neither an entry nor a meta record.',
    })
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
