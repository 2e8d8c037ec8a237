/** Records of a changelog made by hand, from the description of its format. */
import type { KafkaRecord } from '../../../src/verify/record-batch.ts'

export interface ChangedCounter {
  readonly count?: number
  readonly firstSeen?: number
  readonly lastSeen?: number
  /** By window: rising pane numbers with their counts. */
  readonly panes?: readonly (readonly (readonly [pane: number, count: number])[])[]
}

export function recordOf(made: {
  readonly offset: number
  readonly key: string | Buffer | null
  readonly value: string | Buffer | null
}): KafkaRecord {
  const bytes = (given: string | Buffer | null) => (typeof given === 'string' ? Buffer.from(given) : given)
  return { ...made, timestamp: 0, headers: [], key: bytes(made.key), value: bytes(made.value) }
}

/** An entry; a null counter deletes. */
export function entryRecord(key: string, counter: ChangedCounter | null, offset: number): KafkaRecord {
  const value = counter === null ? null : counterBytes(counter)
  return recordOf({ offset, key: Buffer.concat([Buffer.from([1]), Buffer.from(key)]), value })
}

/** A meta record; `counted` of the topic `in`, by partition. */
export function metaRecord(
  meta: { readonly counted?: Readonly<Record<number, number>>; readonly [field: string]: unknown },
  offset: number,
): KafkaRecord {
  const { counted = {}, ...rest } = meta
  const full = {
    ...{ version: 1, fingerprint: {}, topicIds: {}, inputOffsets: {}, streamTime: null },
    ...{ counted: { in: counted }, ...rest },
  }
  return recordOf({ offset, key: Buffer.from([0]), value: JSON.stringify(full) })
}

export function counterBytes(counter: ChangedCounter): Buffer {
  const { count = 1, firstSeen = 0, lastSeen = firstSeen, panes = [] } = counter
  const numbers = [count, firstSeen, lastSeen - firstSeen, panes.length]
  for (const window of panes) {
    numbers.push(window.length)
    let before = 0
    for (const [pane, ofPane] of window) {
      numbers.push(pane - before, ofPane)
      before = pane
    }
  }
  return Buffer.concat([Buffer.alloc(8), Buffer.from([1]), ...numbers.map(uvarint)])
}

function uvarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}
