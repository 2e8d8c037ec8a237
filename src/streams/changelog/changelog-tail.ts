import type { Clock } from '../../ports/clock.ts'
import {
  type FetchedRecords,
  type KafkaClient,
  partitionsOf,
  type TopicPartition,
} from '../../ports/kafka.ts'
import type { CommitMeta } from '../store/types.ts'
import { decodeChangelogRecord } from './changelog-record.ts'
import { readPartition } from './partition-reader.ts'

/** Records read at first, and by how much more each time that no meta record was among them. */
const firstSpan = 64
const spanGrowth = 16

/**
 * The last committed meta record of each partition of a changelog, by partition; those that have none are left out.
 *
 * Every commit ends with a meta record, so it stands near the end: reads the last few records, then ever more.
 */
export async function lastMetas(
  kafka: KafkaClient,
  clock: Clock,
  topic: string,
  partitionCount: number,
): Promise<ReadonlyMap<number, CommitMeta>> {
  const partitions = partitionsOf(topic, partitionCount)
  const starts = await kafka.admin.listOffsets(partitions, 'earliest')
  const ends = await kafka.admin.listOffsets(partitions, 'lastStable')
  const metas = new Map<number, CommitMeta>()
  for (const partition of partitions) {
    const start = starts[partition.partition] ?? 0
    const end = ends[partition.partition] ?? 0
    const meta = await lastMetaBetween(kafka, clock, partition, start, end)
    if (meta !== null) metas.set(partition.partition, meta)
  }
  return metas
}

async function lastMetaBetween(
  kafka: KafkaClient,
  clock: Clock,
  partition: TopicPartition,
  start: number,
  end: number,
): Promise<CommitMeta | null> {
  for (let span = firstSpan; start < end; span *= spanGrowth) {
    const from = Math.max(start, end - span)
    let found: CommitMeta | null = null
    const onRecords = (records: FetchedRecords): void => {
      for (let record = records.next(); record !== null; record = records.next()) {
        const decoded = decodeChangelogRecord(record, partition)
        if (decoded.kind === 'meta') found = decoded.meta
      }
    }
    await readPartition({ kafka, clock, partition, from, to: end, onRecords })
    if (found !== null || from === start) return found
  }
  return null
}
