/**
 * Reads what a `read_committed` reader may see of a partition:
 *
 *  1. fetch from the position; the broker gives nothing beyond the last stable offset, and lists the aborted transactions that
 *     touch what it gives;
 *  2. a transaction of that list is open, from its first offset to its producer's next abort marker: what the producer writes
 *     in between in transactions is left out;
 *  3. markers themselves are left out;
 *  4. the position passes the last offset of every batch, whatever is left in it.
 */
import { CodedError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { FetchedPartition } from './fetch-answer.ts'
import { type KafkaConnection, type KafkaReader, openReader } from './kafka-connection.ts'
import { type KafkaRecord, readBatches, readMarker, readRecords } from './record-batch.ts'

export interface Range {
  readonly topic: string
  readonly partition: number
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

const firstMaxBytes = 4 * 1024 * 1024
const largestMaxBytes = 1024 * 1024 * 1024
/** The broker waits a while before each empty answer; so many in a row below the end mean that none will come. */
const mostEmptyAnswers = 120

/** Calls `onRecord` with every committed record of the range in the order of offsets. Throws CORRUPT_BATCH, and what fetch throws. */
export async function readRange(
  reader: KafkaReader,
  { topic, partition, from, to }: Range,
  onRecord: (record: KafkaRecord) => void,
): Promise<void> {
  let position = from
  let maxBytes = firstMaxBytes
  let emptyAnswers = 0
  while (position < to) {
    const answer = await reader.fetch(topic, partition, position, maxBytes)
    const next = await readAnswer(answer, position, to, onRecord)
    if (next > position) {
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

/** Passes on the committed records of one answer; returns where to read on. */
export async function readAnswer(
  answer: Pick<FetchedPartition, 'abortedTransactions' | 'records'>,
  from: number,
  to: number,
  onRecord: (record: KafkaRecord) => void,
): Promise<number> {
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
    if (batch.isControl) {
      if ((await readMarker(batch)) === 'abort') abortedProducers.delete(batch.producerId)
    } else if (!(batch.isTransactional && abortedProducers.has(batch.producerId))) {
      // The first batch may begin before the position.
      for (const record of await readRecords(batch))
        if (record.offset >= from && record.offset < to) onRecord(record)
    }
    position = Math.max(position, batch.lastOffset + 1)
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
