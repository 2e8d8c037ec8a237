import type { TopicPartition } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { TaskStore } from '../store/task-store.ts'
import type { StoreNode } from '../topology/topology.ts'
import type { TaskEnvironment } from './task-environment.ts'

/** Opens the local store of a task, verified; what cannot be proved right comes back empty. */
export function openTaskStore(
  environment: TaskEnvironment,
  taskId: string,
  node: StoreNode,
  changelog: TopicPartition,
  log: Log,
): Promise<TaskStore> {
  const { databases, bootId, clock, catalog, clusterId, fingerprint, observer } = environment
  return TaskStore.open({
    directory: environment.storeDirectory(taskId),
    opener: databases,
    bootId,
    clock,
    log,
    identity: {
      clusterId,
      taskId,
      changelogTopic: changelog.topic,
      changelogTopicId: catalog.get(changelog.topic).topicId,
      partition: changelog.partition,
    },
    fingerprint,
    ...(node.indexKeyOf === undefined ? {} : { indexKeyOf: node.indexKeyOf }),
    // Beyond that the changelog may have forgotten deletions that the store has not seen.
    maxAgeMs: catalog.deleteRetentionMs(changelog.topic),
    onWipe: (reason, detail) => observer.storeWiped?.(taskId, reason, detail),
  })
}
