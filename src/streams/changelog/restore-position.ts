import { CodedError } from '../../errors.ts'
import type { KafkaClient, TopicPartition } from '../../ports/kafka.ts'
import type { TaskStore } from '../store/task-store.ts'

/**
 * From where to where a store follows its changelog; `end` is the high watermark as of now. Wipes a store that is ahead of its changelog,
 * and throws OFFSET_OUT_OF_RANGE for one that is behind its start.
 */
export async function restorePosition(
  kafka: KafkaClient,
  taskId: string,
  changelog: TopicPartition,
  store: TaskStore,
): Promise<{ from: number; end: number }> {
  const [start = 0] = await kafka.admin.listOffsets([changelog], 'earliest')
  const [end = 0] = await kafka.admin.listOffsets([changelog], 'highWatermark')
  if (store.changelogPosition > end) {
    await store.wipe('beyond-end', `position ${store.changelogPosition}, end ${end}`)
  }
  const from = store.changelogPosition
  // Compaction never moves the start. What was deleted there may have been the only record of a key: nobody can restore it.
  if (from < start) {
    throw new CodedError('OFFSET_OUT_OF_RANGE', {
      operation: 'restore a task',
      task: taskId,
      ...changelog,
      offset: from,
      detail: `The changelog begins at ${start}; the records before, which the store has not seen, were deleted.`,
      hint: 'Put a store back that has seen them, or start over (login-stats reset, or a new APP_ID).',
    })
  }
  return { from, end }
}
