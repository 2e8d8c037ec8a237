/**
 * Reads what a `read_committed` reader may see of a partition:
 *
 *  1. fetch from the position; the broker gives nothing beyond the last stable offset, and lists the aborted transactions that
 *     touch what it gives;
 *  2. a transaction of that list is open, from its first offset to its producer's next abort marker: what the producer writes
 *     in between in transactions is left out;
 *  3. markers themselves are left out;
 *  4. the position passes the last offset of every batch, whatever is left in it.
 *
 * The next fetch is under way while an answer is read.
 */
import { CodedError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { FetchedPartition } from './fetch-answer.ts'
import { type KafkaConnection, type KafkaReader, openReader } from './kafka-connection.ts'
import { endOfBatches, type KafkaRecord, readBatches, readMarker, readRecords } from './record-batch.ts'

export interface Range {
  readonly topic: string
  readonly partition: number
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

/** The committed records of one batch, or none where it has none. */
export interface CommittedBatch {
  readonly records: readonly KafkaRecord[]
  /** Where to read on. */
  readonly nextOffset: number
  /** Offsets in the batch, or between it and the one before, are not there any more: compaction has removed their records. */
  readonly hasHoles: boolean
}

type Answer = Pick<FetchedPartition, 'abortedTransactions' | 'records'>

const firstMaxBytes = 4 * 1024 * 1024
const largestMaxBytes = 1024 * 1024 * 1024
/** The broker waits a while before each empty answer; so many in a row below the end mean that none will come. */
const mostEmptyAnswers = 120

/** The batches of a range in the order of offsets. Throws CORRUPT_BATCH, and what fetch throws. */
export async function* batchesOf(reader: KafkaReader, range: Range): AsyncGenerator<CommittedBatch> {
  const { topic, partition, from, to } = range
  let position = from
  let maxBytes = firstMaxBytes
  let emptyAnswers = 0
  let ahead: Promise<FetchedPartition> | null = null
  while (position < to) {
    const answer = await (ahead ?? reader.fetch(topic, partition, position, maxBytes))
    const next = endOfBatches(answer.records, position)
    ahead = next > position && next < to ? reader.fetch(topic, partition, next, maxBytes) : null
    // Where this reading is given up, nobody will ask how the fetch has ended; else it is awaited above, and throws there.
    ahead?.catch(() => undefined)
    if (next > position) {
      yield* batchesIn(answer, position, to)
      position = next
      emptyAnswers = 0
    } else if (answer.records.length > 0 && maxBytes < largestMaxBytes) {
      maxBytes *= 2
    } else if (++emptyAnswers === mostEmptyAnswers) {
      throw new CodedError('KAFKA_RETRIABLE', {
        operation: 'Fetch',
        topic,
        partition,
        offset: position,
        detail: `No record comes, although the partition should go on to offset ${to}.`,
      })
    }
  }
}

async function* batchesIn(answer: Answer, from: number, to: number): AsyncGenerator<CommittedBatch> {
  const aborted = [...answer.abortedTransactions].sort((a, b) => a.firstOffset - b.firstOffset)
  const abortedProducers = new Set<bigint>()
  let position = from
  for (const batch of readBatches(answer.records)) {
    for (
      let first = aborted[0];
      first !== undefined && first.firstOffset <= batch.lastOffset;
      first = aborted[0]
    ) {
      abortedProducers.add(first.producerId)
      aborted.shift()
    }
    let records: readonly KafkaRecord[] = []
    if (batch.isControl) {
      if ((await readMarker(batch)) === 'abort') abortedProducers.delete(batch.producerId)
    } else if (!(batch.isTransactional && abortedProducers.has(batch.producerId))) {
      records = await readRecords(batch)
      // The first batch may begin before the position, the last may go on beyond the end.
      if (batch.baseOffset < from || batch.lastOffset >= to)
        records = records.filter(({ offset }) => offset >= from && offset < to)
    }
    const hasHoles =
      batch.baseOffset > position || batch.recordCount < batch.lastOffset - batch.baseOffset + 1
    position = Math.max(position, batch.lastOffset + 1)
    yield { records, nextOffset: position, hasHoles }
  }
}

/** Calls `onRecord` with every committed record of the range in the order of offsets. Throws as `batchesOf` does. */
export async function readRange(
  reader: KafkaReader,
  range: Range,
  onRecord: (record: KafkaRecord) => void,
): Promise<void> {
  for await (const { records } of batchesOf(reader, range)) for (const record of records) onRecord(record)
}

/** Passes on the committed records of one answer; returns where to read on. */
export async function readAnswer(
  answer: Answer,
  from: number,
  to: number,
  onRecord: (record: KafkaRecord) => void,
): Promise<number> {
  let position = from
  for await (const { records, nextOffset } of batchesIn(answer, from, to)) {
    for (const record of records) onRecord(record)
    position = nextOffset
  }
  return position
}

export interface ReadOptions {
  readonly clock: Clock
  /** First offsets by partition; the start of the log where absent. */
  readonly from?: readonly number[]
  /** End offsets (exclusive) by partition; the last stable offset where absent. */
  readonly to?: readonly number[]
}

/** Reads a whole topic, one partition after the other. Returns the ends up to which it has read, by partition. */
export async function readCommitted(
  connection: KafkaConnection,
  topic: string,
  options: ReadOptions,
  onRecord: (record: KafkaRecord, partition: number) => void,
): Promise<number[]> {
  const reader = await openReader(connection, options.clock)
  try {
    const starts = options.from ?? (await reader.offsets(topic, 'earliest'))
    const ends = options.to ?? (await reader.offsets(topic, 'lastStable'))
    for (const [partition, to] of ends.entries())
      await readRange(reader, { topic, partition, from: starts[partition] ?? 0, to }, (record) =>
        onRecord(record, partition),
      )
    return [...ends]
  } finally {
    await reader.close()
  }
}
