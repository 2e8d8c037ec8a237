/**
 * Writes records without keys to a topic, in transactions of a bounded size: so a stop or a failure leaves whole transactions,
 * and their count is exact. In each, the records go to the partitions in turn, in runs, so that batches stay large.
 */

import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaClient, Outgoing, TransactionalProducer } from '../../ports/kafka.ts'

export interface SourceRecord {
  readonly value: Buffer | null
  readonly valid: boolean
  /** The record's own timestamp, in milliseconds since the epoch. */
  readonly timestampMs: number
}

export type RecordSource = Iterable<SourceRecord> | AsyncIterable<SourceRecord>

export interface Written {
  readonly records: number
  readonly invalid: number
}

export interface WriteOptions {
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly topic: string
  readonly transactionalId: string
  /** Records a second; null: as fast as possible. */
  readonly rate: number | null
  /** Stops after so many; may be infinite. */
  readonly count: number
  /** Asked before each transaction; what is begun is finished. */
  isStopped(): boolean
  /** Told the totals after each transaction. */
  onWritten(total: Written): void
}

const mostPerTransaction = 10_000
const intervalMs = 200
/** Well below what a topic takes in one batch by default (1 MB). */
const mostBytesPerRun = 512 * 1024
const transactionTimeoutMs = 30_000

/**
 * Resolves with whether all is written; if not it was stopped. Throws TOPIC_MISSING, and what the producer throws; what `onWritten` was
 * told is then in the topic for certain.
 */
export async function writeRecords(source: RecordSource, options: WriteOptions): Promise<boolean> {
  const { kafka, clock, topic, transactionalId, rate, count } = options
  const partitionCount = (await kafka.admin.topics([topic])).get(topic)?.partitionCount
  if (partitionCount === undefined) throw new CodedError('TOPIC_MISSING', { operation: 'generate', topic })
  const producer = kafka.producer({ transactionalId, transactionTimeoutMs })
  const start = clock.monotonic()
  let total: Written = { records: 0, invalid: 0 }
  try {
    await producer.init()
    const taker = new Taker(source)
    while (total.records < count && !options.isStopped()) {
      const due = rate === null ? mostPerTransaction : dueBy(clock.monotonic() - start, rate) - total.records
      const records = await taker.take(Math.min(due, mostPerTransaction, count - total.records))
      if (records.length > 0) {
        await producer.send(runsOf(records, producer, topic, partitionCount, total.records))
        await producer.commit()
        const invalid = records.filter(({ valid }) => !valid).length
        total = { records: total.records + records.length, invalid: total.invalid + invalid }
        options.onWritten(total)
      }
      if (taker.isAtEnd) return true
      if (due < mostPerTransaction) await clock.sleep(intervalMs)
    }
    return total.records >= count
  } finally {
    producer.close()
  }
}

/** Records to have been written after so long; the first ones at once. */
function dueBy(elapsedMs: number, rate: number): number {
  return Math.ceil(((elapsedMs + intervalMs) * rate) / 1000)
}

/** Equal runs for all partitions; few records go on where those before have stopped. */
function runsOf(
  records: readonly SourceRecord[],
  producer: TransactionalProducer,
  topic: string,
  partitionCount: number,
  writtenBefore: number,
): Outgoing[] {
  const runLength = Math.ceil(records.length / partitionCount)
  const outgoing: Outgoing[] = []
  for (let start = 0, turn = writtenBefore; start < records.length; start += runLength, turn++) {
    const partition = { topic, partition: turn % partitionCount }
    let appender = producer.appender()
    outgoing.push({ partition, records: appender })
    for (const { value, timestampMs } of records.slice(start, start + runLength)) {
      if (appender.sizeInBytes > mostBytesPerRun) {
        appender = producer.appender()
        outgoing.push({ partition, records: appender })
      }
      appender.append(null, value, timestampMs)
    }
  }
  return outgoing
}

/** Takes so many at a time from an iterable. */
class Taker {
  isAtEnd = false
  readonly #iterator: Iterator<SourceRecord> | AsyncIterator<SourceRecord>

  constructor(source: RecordSource) {
    this.#iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  }

  async take(count: number): Promise<SourceRecord[]> {
    const taken: SourceRecord[] = []
    while (taken.length < count && !this.isAtEnd) {
      const next = this.#iterator.next()
      // A generator answers at once; to await each of its answers would cost more than to make it.
      const { done, value } = next instanceof Promise ? await next : next
      if (done === true) this.isAtEnd = true
      else taken.push(value)
    }
    return taken
  }
}
