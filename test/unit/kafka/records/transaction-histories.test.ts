import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Compression } from '../../../../src/kafka/records/compression.ts'
import { batchOf, emptied, fetched, marker, plain, readAll } from './record-bytes.ts'

/** One thing that happens to a partition. Data opens a transaction of its producer if none is open. */
interface Step {
  readonly producer: number
  readonly action: 'data' | 'commit' | 'abort' | 'plain' | 'emptied'
  readonly recordCount: number
  readonly key: Buffer | null
  readonly compression: Compression
}

const step: fc.Arbitrary<Step> = fc.record<Step>({
  producer: fc.integer({ min: 1, max: 4 }),
  action: fc.oneof(
    { weight: 5, arbitrary: fc.constant('data' as const) },
    { weight: 2, arbitrary: fc.constantFrom('commit' as const, 'abort' as const) },
    { weight: 1, arbitrary: fc.constantFrom('plain' as const, 'emptied' as const) },
  ),
  recordCount: fc.integer({ min: 1, max: 3 }),
  key: fc.constantFrom(null, Buffer.alloc(4), Buffer.from([0, 0, 0, 1]), Buffer.from('key')),
  compression: fc.constantFrom('none' as const, 'lz4' as const),
})

interface Transaction {
  readonly producerId: bigint
  readonly firstOffset: number
  fate: 'open' | 'commit' | 'abort'
  markerOffset: number
}

interface StoredBatch {
  readonly bytes: Buffer
  readonly baseOffset: number
  readonly lastOffset: number
  /** Null: outside of any. */
  readonly transaction: Transaction | null
  readonly records: ReturnType<typeof plain>[]
}

/** The end of whatever transaction the producer of that number has open. */
function endOf(step: Step, index: number): Step {
  return { ...step, producer: index + 1, action: step.recordCount === 1 ? 'commit' : 'abort' }
}

/** A partition as a broker stores it, together with what it does not store: the fate of each transaction. */
async function partitionOf(steps: readonly Step[]) {
  const open = new Map<number, Transaction>()
  const transactions: Transaction[] = []
  const batches: StoredBatch[] = []
  let offset = 0
  for (const { producer, action, recordCount, key, compression } of steps) {
    const producerId = BigInt(producer)
    const transaction = open.get(producer)
    if (action === 'commit' || action === 'abort') {
      if (transaction === undefined) continue
      transaction.fate = action
      transaction.markerOffset = offset
      open.delete(producer)
      const bytes = await marker(offset, producerId, action === 'abort' ? 0 : 1)
      batches.push({ bytes, baseOffset: offset, lastOffset: offset, transaction, records: [] })
      offset++
      continue
    }
    let owner: Transaction | null = null
    if (action !== 'plain') {
      owner = transaction ?? { producerId, firstOffset: offset, fate: 'open', markerOffset: -1 }
      if (transaction === undefined) transactions.push(owner)
      open.set(producer, owner)
    }
    const first = offset
    const records = Array.from({ length: recordCount }, (_, index) => ({
      key,
      value: Buffer.from(`${first + index}`),
      timestamp: 1000 + first,
      headers: [],
    }))
    const bytes = await batchOf(records, {
      baseOffset: first,
      producerId,
      transactional: owner !== null,
      compression,
    })
    batches.push({
      bytes: action === 'emptied' ? emptied(bytes) : bytes,
      baseOffset: first,
      lastOffset: first + recordCount - 1,
      transaction: owner,
      records: action === 'emptied' ? [] : records.map((record, index) => plain(record, first + index)),
    })
    offset += recordCount
  }
  const openOffsets = [...open.values()].map(({ firstOffset }) => firstOffset)
  return { batches, transactions, endOffset: offset, lastStableOffset: Math.min(offset, ...openOffsets) }
}

test('of any history of transactions, read from any offset in any pieces, the committed records are shown', async () => {
  let aborted = 0
  let shown = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 50, size: 'max' }),
      fc.array(step, { minLength: 4, maxLength: 4 }),
      fc.boolean(),
      fc.nat(1000),
      fc.integer({ min: 0, max: 600 }),
      fc.boolean(),
      fc.infiniteStream(fc.nat(1000)),
      async (steps, last, endAll, from, answerBytes, beyondStable, shuffle) => {
        const { batches, transactions, endOffset, lastStableOffset } = await partitionOf(
          endAll ? [...steps, ...last.map(endOf)] : steps,
        )
        const start = from % (lastStableOffset + 1)
        const seen: unknown[] = []
        let position = start
        while (position < lastStableOffset) {
          // The broker sends the batch that holds the offset whole, and what follows as far as there is room.
          const limit = beyondStable ? endOffset : lastStableOffset
          const sent = batches.filter(
            ({ lastOffset, baseOffset }) => lastOffset >= position && baseOffset < limit,
          )
          const stream = Buffer.concat(sent.map(({ bytes }) => bytes))
          const records = stream.subarray(0, Math.max(answerBytes, sent[0]!.bytes.length))
          const abortedTransactions = transactions
            .filter(({ fate, markerOffset }) => fate === 'abort' && markerOffset >= position)
            .map((transaction) => ({ ...transaction, rank: shuffle.next().value }))
            .sort((a, b) => a.rank - b.rank)
          aborted += abortedTransactions.length

          const chunk = fetched(records, { fetchOffset: position, abortedTransactions, lastStableOffset })
          const read = readAll(chunk)
          expect(read.length).toBeLessThanOrEqual(chunk.recordCount)
          seen.push(...read)
          expect(chunk.nextOffset).toBeGreaterThan(position)
          position = chunk.nextOffset
        }
        const expected = batches
          .filter(
            ({ transaction, baseOffset }) =>
              baseOffset < lastStableOffset && (transaction === null || transaction.fate === 'commit'),
          )
          .flatMap(({ records }) => records)
          .filter(({ offset }) => offset >= start)
        expect(seen).toEqual(expected)
        expect(position).toBe(lastStableOffset)
        shown += seen.length
      },
    ),
    { numRuns: 500 },
  )
  // The histories are worth something only if they hold both kinds.
  expect(aborted).toBeGreaterThan(500)
  expect(shown).toBeGreaterThan(500)
})
