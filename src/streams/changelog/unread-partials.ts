import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FetchedRecords, KafkaClient, TopicPartition } from '../../ports/kafka.ts'
import { decodePartial } from '../aggregate/partial.ts'
import { SourceTransactions } from '../aggregate/source-transactions.ts'
import { readPartition } from './partition-reader.ts'

/**
 * Up to where the partials of a repartition partition have read their sources, by source topic and partition. For one that nobody has
 * counted from yet: nothing of it has been purged, and there is little. `sourceTopics`: of the stage that writes there, in its order. Throws
 * KAFKA_RETRIABLE where somebody begins to count meanwhile.
 */
export async function unreadPartials(
  kafka: KafkaClient,
  clock: Clock,
  partition: TopicPartition,
  sourceTopics: readonly string[],
): Promise<Record<string, Record<string, number>>> {
  const [from = 0] = await kafka.admin.listOffsets([partition], 'earliest')
  const [to = 0] = await kafka.admin.listOffsets([partition], 'lastStable')
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
    if (!isPurged) throw cause
    throw new CodedError('KAFKA_RETRIABLE', {
      operation: 'look for partials',
      ...partition,
      detail: 'They have been counted and purged meanwhile.',
      cause,
    })
  }
  return transactions.counted()
}
