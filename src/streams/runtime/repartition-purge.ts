import { coded } from '../../errors.ts'
import type { TopicPartition } from '../../ports/kafka.ts'
import type { StreamTask } from '../task/stream-task.ts'
import type { TaskEnvironment } from '../task/task-environment.ts'
import { sourceTopics } from '../topology/topology.ts'

/**
 * Deletes what the committed offsets have passed from the repartition topics that the tasks read: nobody will read it
 * again, and retention never removes it. What cannot be deleted now is left for the next time: a new leader refuses offsets beyond its
 * high watermark, which may be behind for a moment.
 */
export async function purgeRepartitionTopics(
  environment: TaskEnvironment,
  tasks: readonly StreamTask[],
): Promise<void> {
  const internal = new Set(sourceTopics(environment.topology, 'repartition'))
  const below: { partition: TopicPartition; offset: number }[] = tasks
    .filter(({ state }) => state === 'running')
    .flatMap((task) => task.committedOffsets())
    .filter(({ partition, offset }) => internal.has(partition.topic) && offset > 0)
  if (below.length === 0) return
  try {
    await environment.kafka.admin.deleteRecords(below)
  } catch (error) {
    const failure = coded(error, 'purge repartition topics')
    if (failure.code !== 'OFFSET_OUT_OF_RANGE') throw failure
    environment.log.info({ code: failure.code }, failure.message)
  }
}
