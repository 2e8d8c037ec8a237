import type { ConsumerOffset, Outgoing, TopicPartition } from '../../ports/kafka.ts'
import { encodeMeta, metaRecordKey } from '../changelog/changelog-record.ts'
import type { EngineObserver } from '../runtime/engine-observer.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { CommitMeta } from '../store/types.ts'
import { sourceTopics } from '../topology/topology.ts'
import type { TaskTransactions } from '../transactions/transactions.ts'
import { encodeOffsetMetadata } from './offset-metadata.ts'
import type { ProcessorGraph } from './processor-graph.ts'
import type { RecordCollector } from './record-collector.ts'
import type { TaskEnvironment } from './task-environment.ts'

/**
 * A commit, in five steps:
 *
 *   1. Freeze: processors flush, the overlay and the collected records are set aside; what is processed from now on
 *      belongs to the next commit.
 *   2. Send outputs, changelog (last value per key) and one changelog meta record; wait for every acknowledgement; note
 *      where the changelog ends. With 3 and 4 perhaps for all tasks of the thread at once (`transactions/`).
 *   3. Commit the input offsets as part of the transaction, with the group's generation. Always, even if they have not
 *      moved: it proves that the task is still ours.
 *   4. End the transaction. From here on the commit is a fact.
 *   5. One LevelDB batch: the overlay, the changelog position, the meta.
 *
 * A failure in 2 to 4 leaves the outcome to Kafka: the task takes over anew (`take-over.ts`), which restores the commit
 * from the changelog if it became a fact, and else starts from the one before. A failure in 5 stops the process.
 */
export interface FrozenCommit {
  readonly outgoing: readonly Outgoing[]
  /** Entries of the changelog with the meta record at the end; null for a task without a store. */
  readonly changelog: Outgoing | null
  readonly offsets: readonly ConsumerOffset[]
  readonly meta: CommitMeta
  /** When the oldest record that it stems from was appended to an input of the application, in ms; null where that is not known. */
  readonly originAt: number | null
}

interface FlushedTask {
  readonly inputs: readonly TopicPartition[]
  /** By topic. */
  readonly inputOffsets: Readonly<Record<string, number>>
  readonly graph: ProcessorGraph
  readonly collector: RecordCollector
  readonly store: TaskStore | null
  readonly changelog: TopicPartition | null
  readonly transactions: TaskTransactions
}

/** Step 1, once the processors have flushed. */
export function frozenCommit(environment: TaskEnvironment, task: FlushedTask): FrozenCommit {
  const { inputs, inputOffsets, graph, collector } = task
  const meta = metaOf(environment, task)
  return {
    outgoing: collector.freeze(),
    changelog: freezeStore(environment, task, meta),
    offsets: inputs.map((partition) => ({
      partition,
      offset: inputOffsets[partition.topic] ?? 0,
      metadata: encodeOffsetMetadata(graph.highestEventTime),
    })),
    meta,
    originAt: graph.takeOrigin(),
  }
}

/** What the changelog says of the commit, besides its entries. */
function metaOf(
  { catalog, fingerprint, topology }: TaskEnvironment,
  { changelog, graph, inputOffsets }: FlushedTask,
): CommitMeta {
  const topics = sourceTopics(topology)
  // So that what is written to a new topic of its name is never taken for all that there was in the old one.
  if (changelog !== null) topics.push(changelog.topic)
  return {
    version: 1,
    fingerprint,
    topicIds: catalog.ids(topics),
    inputOffsets,
    counted: graph.counted(),
    streamTime: graph.streamTime,
  }
}

/** The overlay as records of the changelog, with the meta record at the end; null without a store. */
function freezeStore(
  { catalog, clock }: TaskEnvironment,
  { store, changelog, transactions }: FlushedTask,
  meta: CommitMeta,
): Outgoing | null {
  if (store === null || changelog === null) return null
  const now = clock.now()
  const records = transactions.appender(catalog.maxBatchBytes(changelog.topic))
  for (const { key, value } of store.freeze()) records.append(key.stored, value, now)
  records.append(metaRecordKey, encodeMeta(meta), now)
  return { partition: changelog, records }
}

/** Steps 2 to 5. */
export async function commitFrozen(
  frozen: FrozenCommit,
  parts: {
    readonly taskId: string
    readonly transactions: TaskTransactions
    readonly store: TaskStore | null
    readonly observer: EngineObserver
  },
): Promise<void> {
  const { taskId, transactions, store, observer } = parts
  observer.commitStep?.(taskId, 1)
  // 2. to 4.
  const ends = await transactions.commit({
    outgoing: frozen.changelog === null ? frozen.outgoing : [...frozen.outgoing, frozen.changelog],
    offsets: frozen.offsets,
    passed: (step) => observer.commitStep?.(taskId, step),
  })
  // 5.
  const changelogEnd = ends.at(-1)
  if (store !== null && changelogEnd !== undefined) await store.commitFrozen(changelogEnd, frozen.meta)
  observer.commitStep?.(taskId, 5)
}
