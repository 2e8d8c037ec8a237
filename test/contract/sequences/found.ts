/** What random sequences have found to be different once, as small sequences that are played in every run. */
import type { Command } from './commands.ts'

const batch = { adds: true, sequence: 'next', bytes: 3, damage: 'none' } as const
const open = { op: 'Produce', by: { id: 0, age: 0 }, partitions: [0], records: 3, ...batch } as const
const plain = { op: 'Produce', by: null, partitions: [0], records: 2, ...batch } as const
const stable = { op: 'ListOffsets', partitions: [0], isolationLevel: 1, timestamp: -1 } as const
const addOffsets = (id: number): Command => ({ op: 'AddOffsetsToTxn', by: { id, age: 0 } })
const commitOffset = (id: number, offset: number, age = 0): Command => ({
  op: 'TxnOffsetCommit',
  by: { id, age },
  from: null,
  partitions: [0],
  offset,
})
const end = (id: number, commit: boolean): Command => ({ op: 'EndTxn', by: { id, age: 0 }, commit })
const committed = { op: 'OffsetFetch', partitions: [0], requireStable: true } as const
const deleteTo = (offset: number): Command => ({ op: 'DeleteRecords', partition: 0, offset })
const readFrom = (back: number): Command => ({
  op: 'Fetch',
  partitions: [0],
  back,
  maxBytes: 1_000_000,
  partitionMaxBytes: 1_000_000,
  isHeld: false,
})

const makeAnew: readonly Command[] = [
  { op: 'DeleteTopics', topic: 0 },
  { op: 'CreateTopics', topic: 0, count: 1, replicas: 1 },
]

export const found: Readonly<Record<string, readonly Command[]>> = {
  'The last stable offset lies before the start of a log that begins within a batch of an open transaction': [
    ...[open, deleteTo(2), stable, readFrom(0), readFrom(-2)],
    // Then the log begins with the next batch, within that one, and at its end.
    ...[plain, stable, deleteTo(3), stable, readFrom(0), deleteTo(4), stable, deleteTo(-1), stable],
    ...[plain, stable, readFrom(-1), end(0, true), stable],
  ],
  'Of two committed offsets counts the one written last, whichever transaction ends last': [
    ...[addOffsets(0), addOffsets(1), commitOffset(0, 1), commitOffset(1, 2)],
    ...[end(1, true), committed, end(0, true), committed],
    // Written again within its transaction, an offset is as young as that.
    ...[addOffsets(0), addOffsets(1), commitOffset(0, 3), commitOffset(1, 4), commitOffset(0, 5)],
    ...[end(1, true), end(0, true), committed],
    // An aborted one stands in nobody's way.
    ...[addOffsets(0), addOffsets(1), commitOffset(0, 6), commitOffset(1, 7)],
    ...[end(1, false), end(0, true), committed],
  ],
  'The end of a transaction is written into the topic that has the name then': [
    ...[open, ...makeAnew, plain, end(0, false), stable, open, stable],
  ],
  'A commit of offsets by a fenced epoch takes nothing from the newer one': [
    { op: 'InitProducerId', id: 0, timeoutMs: 60_000 },
    ...[addOffsets(0), commitOffset(0, 2), commitOffset(0, 1, 1), committed, end(0, true), committed],
  ],
}
