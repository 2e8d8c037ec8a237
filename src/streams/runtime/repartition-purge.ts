import type { TopicPartition } from '../../ports/kafka.ts'
import type { StreamTask } from '../task/stream-task.ts'
import type { TaskEnvironment } from '../task/task-environment.ts'
import { sourceTopics } from '../topology/topology.ts'

/**
 * Deletes what the committed offsets have passed from the repartition topics that the tasks read: nobody will read it
 * again, and retention never removes it.
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
  if (below.length > 0) await environment.kafka.admin.deleteRecords(below)
}
