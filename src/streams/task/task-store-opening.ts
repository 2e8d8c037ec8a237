import { CodedError } from '../../errors.ts'
import type { TopicPartition } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { TaskStore } from '../store/task-store.ts'
import type { StoreNode } from '../topology/topology.ts'
import type { TaskEnvironment } from './task-environment.ts'

/** How long to wait before looking again whether another thread has closed the store. */
const lookAgainMs = 25

/**
 * Opens the local store of a task, verified; what cannot be proved right comes back empty. The slot belongs to this process, so where
 * the store is held, it is by a thread of ours that has lost the task and is about to close it: waits for that, `maxStallMs` at most, and throws
 * STATE_DIR_IN_USE then; TASK_MIGRATED where the task is given up meanwhile.
 */
export async function openTaskStore(
  environment: TaskEnvironment,
  task: { id: string; node: StoreNode; changelog: TopicPartition; log: Log; isCancelled(): boolean },
): Promise<TaskStore> {
  const { clock, maxStallMs } = environment
  const deadline = clock.monotonic() + maxStallMs
  for (;;) {
    try {
      return await openNow(environment, task.id, task.node, task.changelog, task.log)
    } catch (error) {
      const isHeld = error instanceof CodedError && error.code === 'STATE_DIR_IN_USE'
      if (!isHeld || clock.monotonic() > deadline) throw error
      if (task.isCancelled())
        throw new CodedError('TASK_MIGRATED', { operation: 'open the store', task: task.id })
      await clock.sleep(lookAgainMs)
    }
  }
}

function openNow(
  environment: TaskEnvironment,
  taskId: string,
  node: StoreNode,
  changelog: TopicPartition,
  log: Log,
): Promise<TaskStore> {
  const { databases, cacheBudget, bootId, clock, catalog, clusterId, fingerprint, observer } = environment
  return TaskStore.open({
    directory: environment.storeDirectory(taskId),
    opener: databases,
    cacheBudget,
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
