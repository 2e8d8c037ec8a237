/**
 * How the commits of a thread's tasks become Kafka transactions. There are two ways, and a group may have members of both:
 *
 *   per task     Each task has a transactional id. Whoever takes a task over fences the owner before it, which ends that one's
 *                transaction at once.
 *   per thread   All tasks of a stream thread commit together, under the thread's own transactional id: five requests for all of
 *                them instead of five for each. The owner before is not fenced. But the group refuses offsets of an older generation; and
 *                who takes a task over waits for the end, good or bad, of a transaction whose offsets were accepted before, and for what
 *                holds its changelog back. If the owner before is dead, that takes until the broker gives its transaction up.
 *
 * In both, every transaction holds the input offsets of its tasks, committed with the group's generation: that is what proves that the
 * tasks are still ours.
 */
import type { ConsumerOffset, GroupIdentity, Outgoing, RecordAppender } from '../../ports/kafka.ts'
import type { CommitPacing } from './commit-pacing.ts'

export type TransactionScope = 'task' | 'thread'

/** `unknown`: its end was asked for, and the answer was lost. The take-over that follows finds out. */
export type TransactionOutcome = 'committed' | 'aborted' | 'unknown'

/** What one task puts into a transaction. */
export interface TransactionPart {
  readonly outgoing: readonly Outgoing[]
  readonly offsets: readonly ConsumerOffset[]
  /** Told that step 2 (sent), 3 (offsets committed) or 4 (transaction ended) of the commit has been done. */
  passed(step: 2 | 3 | 4): void
}

/** One task's way to commit, from a take-over to the next failure. */
export interface TaskTransactions {
  /** Records for one partition, of batches of at most so many bytes. */
  appender(maxBatchBytes: number): RecordAppender
  /** Commits the part. Resolves with the end offset of each outgoing; after a rejection this is of no more use. */
  commit(part: TransactionPart): Promise<number[]>
  close(): void
}

/** Those of one stream thread. */
export interface Transactions {
  /** The tasks commit together: when one must, all should. */
  readonly isShared: boolean
  /**
   * From now on offsets are committed under this identity: called when an assignment is taken. Not when a join has been answered, for
   * then the tasks of the generation before are still here.
   */
  commitAs(identity: GroupIdentity): void
  pacingOf(taskId: string): CommitPacing
  /**
   * Step 2 of a take-over: when this resolves, no earlier commit of this member has an open outcome, and where transactions are the
   * task's own, nobody else's of this task. Throws TASK_MIGRATED, and fences nobody, where the member was lost.
   */
  open(taskId: string): Promise<TaskTransactions>
  close(): void
}
