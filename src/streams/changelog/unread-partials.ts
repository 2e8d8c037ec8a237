import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FetchedRecords, KafkaClient, TopicPartition } from '../../ports/kafka.ts'
import { decodePartial } from '../aggregate/partial.ts'
import { SourceTransactions } from '../aggregate/source-transactions.ts'
import { readPartition } from './partition-reader.ts'

/**
 * Up to where the partials in each of some partitions of a repartition topic have read their sources, by source topic and partition. For
 * partitions that nobody has counted from yet: nothing of them has been purged, and there is little. `sourceTopics`: of the stage that
 * writes there, in its order. Throws KAFKA_RETRIABLE where somebody has begun to count meanwhile: what is purged was counted.
 */
export async function unreadPartials(
  kafka: KafkaClient,
  clock: Clock,
  partitions: readonly TopicPartition[],
  sourceTopics: readonly string[],
): Promise<Record<string, Record<string, number>>[]> {
  const starts = await kafka.admin.listOffsets(partitions, 'earliest')
  const ends = await kafka.admin.listOffsets(partitions, 'lastStable')
  const unread: Record<string, Record<string, number>>[] = []
  for (const [index, partition] of partitions.entries()) {
    const [from = 0, to = 0] = [starts[index], ends[index]]
    if (from > 0) throw countedMeanwhile(partition)
    if (from >= to) continue
    const transactions = new SourceTransactions(sourceTopics, {})
    const onRecords = (records: FetchedRecords): void => {
      for (let record = records.next(); record !== null; record = records.next()) {
        const { bytes, valueStart, valueEnd } = record
        transactions.read(decodePartial(bytes, valueStart, valueEnd).header)
      }
    }
    try {
      await readPartition({ kafka, clock, partition, from, to, onRecords })
    } catch (cause) {
      const isPurged = cause instanceof CodedError && cause.code === 'OFFSET_OUT_OF_RANGE'
      throw isPurged ? countedMeanwhile(partition, cause) : cause
    }
    unread.push(transactions.counted())
  }
  return unread
}

function countedMeanwhile(partition: TopicPartition, cause?: CodedError): CodedError {
  return new CodedError('KAFKA_RETRIABLE', {
    operation: 'look for partials',
    ...partition,
    detail: 'They have been counted and purged meanwhile.',
    cause,
  })
}
