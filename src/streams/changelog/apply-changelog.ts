import type { FetchedRecords, TopicPartition } from '../../ports/kafka.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { ChangelogWrite, CommitMeta } from '../store/types.ts'
import { decodeChangelogRecord } from './changelog-record.ts'

/** Applies a chunk of committed changelog records to the store, in one batch, and moves its position behind it. Returns how many. */
export async function applyChangelog(
  records: FetchedRecords,
  changelog: TopicPartition,
  store: TaskStore,
): Promise<number> {
  const writes: ChangelogWrite[] = []
  let meta: CommitMeta | null = null
  for (let record = records.next(); record !== null; record = records.next()) {
    const decoded = decodeChangelogRecord(record, changelog)
    if (decoded.kind === 'data') writes.push(decoded.write)
    else meta = decoded.meta
  }
  await store.applyRestored(writes, records.nextOffset, meta)
  return writes.length
}
