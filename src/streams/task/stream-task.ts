import { CodedError, coded } from '../../errors.ts'
import type { FetchedRecords, TopicPartition } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import type { TaskStore } from '../store/task-store.ts'
import { formatTaskId, type TaskId } from '../topology/task-id.ts'
import type { Subtopology } from '../topology/topology.ts'
import type { CommitPacing } from '../transactions/commit-pacing.ts'
import type { TaskTransactions } from '../transactions/transactions.ts'
import { commitFrozen, type FrozenCommit, frozenCommit } from './commit.ts'
import { PartitionGroup } from './partition-group.ts'
import { ProcessorGraph } from './processor-graph.ts'
import { RecordAges } from './record-ages.ts'
import { RecordCollector } from './record-collector.ts'
import {
  type CommittedState,
  committedStateOfStatefulTask,
  committedStateOfStatelessTask,
} from './take-over.ts'
import type { TaskEnvironment } from './task-environment.ts'
import { type TaskState, transition } from './task-state.ts'
import { openTaskStore } from './task-store-opening.ts'

/** A task that only its offsets move (markers, skipped batches) commits so often. */
const offsetsOnlyIntervalMs = 1000
/** When caught up, at least so long between two commits, so that a trickle does not become a transaction per record. */
const caughtUpIntervalMs = 5
/** Records processed before the clock is looked at again. */
const recordsPerSlice = 512

/** `due`: now. `welcome`: there is something to commit, which can go along with others. */
export type CommitUrgency = 'none' | 'welcome' | 'due'

/** Everything that a commit takes with it and an abort drops. */
interface Work {
  readonly transactions: TaskTransactions
  readonly collector: RecordCollector
  readonly graph: ProcessorGraph
}

/**
 * One subtopology on one partition: the unit of assignment, state, commit and failure. Its task manager calls it; it never
 * calls itself. At most one of `takeOver`, `punctuate` and `commit` runs at a time; records may be processed while a commit is
 * under way.
 */
export class StreamTask {
  readonly id: string
  readonly partition: number
  readonly inputs: readonly TopicPartition[]
  readonly #subtopology: Subtopology
  readonly #changelog: TopicPartition | null
  readonly #environment: TaskEnvironment
  readonly #log: Log
  readonly #group: PartitionGroup
  /** The task's share of what the thread may hold; set by its manager. */
  maxUncommittedBytes: number
  #state: TaskState = 'created'
  #store: TaskStore | null
  #work: Work | null = null
  /** Something has been processed that the last commit did not take. */
  #hasNews = false
  #isPunctuating = false
  readonly ages = new RecordAges()
  readonly #pacing: CommitPacing
  #committedAt = 0
  #isCancelled = false

  /** `store`: open already, for the task has been a standby here; else null. */
  constructor(id: TaskId, environment: TaskEnvironment, store: TaskStore | null) {
    const subtopology = environment.topology.subtopologies[id.subtopology]
    this.id = formatTaskId(id)
    if (subtopology === undefined) {
      throw new CodedError('INTERNAL', {
        operation: 'create a task',
        task: this.id,
        detail: 'No such subtopology.',
      })
    }
    this.partition = id.partition
    this.#subtopology = subtopology
    this.#changelog =
      subtopology.store === null ? null : { topic: subtopology.store.changelogTopic, partition: id.partition }
    this.#environment = environment
    this.#store = store
    this.#log = environment.log.child({ task: this.id })
    this.maxUncommittedBytes = environment.settings.maxUncommittedBytes
    this.#pacing = environment.transactions.pacingOf(this.id)
    this.inputs = subtopology.sources
      .filter(({ topic }) => id.partition < environment.catalog.partitionCount(topic))
      .map(({ topic }) => ({ topic, partition: id.partition }))
    if (this.inputs.length === 0) {
      throw new CodedError('INTERNAL', {
        operation: 'create a task',
        task: this.id,
        detail: 'None of its source topics is known to have this partition.',
      })
    }
    this.#group = new PartitionGroup(this.inputs, environment.inputs)
  }

  get state(): TaskState {
    return this.#state
  }

  /** Records between the position and the last stable offset, or null while unknown. */
  get lag(): number | null {
    return this.#group.lag
  }

  /** The store of a running task; null where it has none, or is not ready. */
  get committedStore(): TaskStore | null {
    return this.#state === 'running' ? this.#store : null
  }

  /** Whether everything that was there to read has been processed. */
  get isCaughtUp(): boolean {
    return this.#state === 'running' && this.#group.isCaughtUp
  }

  /**
   * Makes the task ours and brings it to its committed state, from wherever it stood: the steps of `take-over.ts`.
   * Uncommitted work is dropped.
   */
  async takeOver(): Promise<void> {
    this.suspend()
    this.#refuseIfCancelled()
    const { transactions: all, observer } = this.#environment
    observer.takeOverStep?.(this.id, 1)
    // 2.
    const transactions = await all.open(this.id)
    observer.takeOverStep?.(this.id, 2)
    try {
      // 3. to 5.
      const committed = await this.#committedState()
      this.#refuseIfCancelled()
      // 6.
      this.#begin(transactions, committed)
      observer.takeOverStep?.(this.id, 6)
    } catch (error) {
      transactions.close()
      throw error
    }
  }

  /** Drops what is uncommitted; nothing is processed until the task has been taken over (again). */
  suspend(): void {
    this.#change('restoring')
    this.#dropUncommitted()
  }

  #refuseIfCancelled(): void {
    if (!this.#isCancelled) return
    throw new CodedError('TASK_MIGRATED', { operation: 'take over a task', task: this.id })
  }

  async #committedState(): Promise<CommittedState> {
    const { store: node } = this.#subtopology
    if (node === null || this.#changelog === null) {
      return committedStateOfStatelessTask(this.#environment, this.id, this.inputs)
    }
    this.#store ??= await openTaskStore(this.#environment, {
      id: this.id,
      node,
      changelog: this.#changelog,
      log: this.#log,
      isCancelled: () => this.#isCancelled,
    })
    return committedStateOfStatefulTask(
      this.#environment,
      this.id,
      this.inputs,
      this.#changelog,
      this.#store,
      () => this.#isCancelled,
    )
  }

  #begin(transactions: TaskTransactions, committed: CommittedState): void {
    const { catalog } = this.#environment
    const collector = new RecordCollector((topic) => transactions.appender(catalog.maxBatchBytes(topic)))
    const graph = new ProcessorGraph({
      taskId: this.id,
      partition: this.partition,
      subtopology: this.#subtopology,
      environment: this.#environment,
      collector,
      store: this.#store,
      streamTime: committed.streamTime,
      highestEventTime: committed.highestEventTime,
      counted: committed.meta?.counted ?? {},
      log: this.#log,
    })
    this.#work = { transactions, collector, graph }
    this.#committedAt = this.#environment.clock.monotonic()
    this.#group.start(committed.inputOffsets)
    this.#change('running')
  }

  /** Takes a fetched chunk of one of its inputs. */
  enqueue(chunk: FetchedRecords): void {
    if (this.#state === 'running') this.#group.add(chunk)
  }

  /** Processes what is queued until `deadline` (monotonic ms). Returns whether anything was done. */
  process(deadline: number): boolean {
    const work = this.#work
    if (this.#state !== 'running' || work === null || this.#isPunctuating) return false
    let isBusy = false
    work.graph.beginSlice()
    for (let chunk = this.#group.current; chunk !== null; chunk = this.#group.current) {
      const mustStop = this.#isFull() || this.#isCommitDue()
      if (mustStop && work.graph.isBetweenSourceTransactions) break
      isBusy = true
      this.#processSlice(work, chunk, mustStop)
      if (this.#environment.clock.monotonic() >= deadline) break
    }
    return isBusy
  }

  /** So much is uncommitted that a commit must come first; memory stays bounded. */
  #isFull(): boolean {
    return this.uncommittedBytes >= this.maxUncommittedBytes
  }

  /** It is time for a commit, and none is under way. */
  #isCommitDue(): boolean {
    if (this.#pacing.isCommitting || !this.#hasNews) return false
    return this.#pacing.sinceLastMs >= this.#environment.settings.commitIntervalMs
  }

  /**
   * Some hundred records of a chunk. `stopBetween`: ends as soon as no source transaction is half read, for only there a commit is
   * allowed.
   */
  #processSlice(work: Work, chunk: FetchedRecords, stopBetween: boolean): void {
    const { graph } = work
    graph.beginChunk(chunk)
    let last = -1
    let isAtEnd = false
    for (let left = recordsPerSlice; left > 0; left--) {
      const record = chunk.next()
      if (record === null) {
        isAtEnd = true
        break
      }
      try {
        graph.process(record)
      } catch (error) {
        const { topic, partition } = chunk
        throw coded(error, 'process a record', { task: this.id, topic, partition, offset: record.offset })
      }
      last = record.offset
      this.ages.note(record.timestamp)
      if (stopBetween && graph.isBetweenSourceTransactions) break
    }
    if (last >= 0) {
      this.#group.passRecord(chunk.topic, last)
      this.#hasNews = true
    }
    // Behind the last record may stand what nobody may see: the end of the chunk is further on.
    if (isAtEnd) this.#group.passCurrent()
  }

  /** Gives processors a turn between records. */
  async punctuate(): Promise<void> {
    const work = this.#work
    if (this.#state !== 'running' || work === null || this.#isPunctuating) return
    this.#isPunctuating = true
    try {
      work.graph.beginSlice()
      while ((await work.graph.punctuate()) && this.#work === work) {
        this.#hasNews = true
        if (this.#isFull()) break
      }
    } finally {
      this.#isPunctuating = false
    }
  }

  /**
   * Whether `commit` should be called now. With `isThreadCaughtUp` nothing is gained by waiting: whoever reads the output shall have
   * it. While any task of the thread is behind, commits would take time from it, and the interval is what the user has allowed.
   */
  commitUrgency(isThreadCaughtUp: boolean): CommitUrgency {
    const work = this.#work
    if (this.#state !== 'running' || work === null || this.#isPunctuating || this.#pacing.isCommitting)
      return 'none'
    if (!work.graph.isBetweenSourceTransactions) return 'none'
    this.#group.passUnseen()
    const { settings, clock } = this.#environment
    const { sinceLastMs } = this.#pacing
    if (!this.#hasNews && !work.graph.wantsCommit) {
      const sinceOwnMs = clock.monotonic() - this.#committedAt
      if (!this.#group.hasMoved || sinceOwnMs < offsetsOnlyIntervalMs / 2) return 'none'
      return sinceOwnMs >= offsetsOnlyIntervalMs ? 'due' : 'welcome'
    }
    if (sinceLastMs >= settings.commitIntervalMs || this.#isFull()) return 'due'
    return isThreadCaughtUp && sinceLastMs >= caughtUpIntervalMs ? 'due' : 'welcome'
  }

  get uncommittedBytes(): number {
    if (this.#work === null) return 0
    const { collector, graph } = this.#work
    return collector.sizeInBytes + graph.sizeInBytes + (this.#store?.overlaySizeInBytes ?? 0)
  }

  /** Commits everything processed so far: the steps of `commit.ts`. Rejects with what failed. */
  async commit(): Promise<void> {
    const work = this.#work
    if (work === null) return
    const { clock, observer } = this.#environment
    this.#pacing.begin()
    try {
      const startedAt = clock.monotonic()
      const caughtUp = this.isCaughtUp
      this.#group.passUnseen()
      // 1.
      const frozen = this.#freeze(work, caughtUp)
      // 2. to 5.
      await commitFrozen(frozen, {
        taskId: this.id,
        transactions: work.transactions,
        store: this.#store,
        observer,
      })
      this.#group.noteCommitted(frozen.offsets)
      this.#committedAt = clock.monotonic()
      const records = frozen.outgoing.reduce((sum, outgoing) => sum + outgoing.records.recordCount, 0)
      const durationMs = this.#committedAt - startedAt
      observer.committed?.(this.id, { durationMs, records, caughtUp, originAt: frozen.originAt })
    } finally {
      this.#pacing.end()
    }
  }

  #freeze(work: Work, caughtUp: boolean): FrozenCommit {
    const { graph } = work
    const inputOffsets = this.#group.positions()
    graph.beginSlice()
    graph.flush({ caughtUp, inputOffsets, oldestRecordAt: this.ages.takeOldest() })
    this.#hasNews = false
    return frozenCommit(this.#environment, {
      ...work,
      inputs: this.inputs,
      inputOffsets,
      store: this.#store,
      changelog: this.#changelog,
    })
  }

  /** Below these offsets nothing will be read again by this task. */
  committedOffsets(): { partition: TopicPartition; offset: number }[] {
    return this.#group.committed()
  }

  /** Commits what is there, as far as source transactions allow. */
  async commitBeforeRevoke(): Promise<void> {
    const work = this.#work
    if (this.#state !== 'running' || work === null || !work.graph.isBetweenSourceTransactions) return
    this.#group.passUnseen()
    if (this.#hasNews || work.graph.wantsCommit || this.#group.hasMoved) await this.commit()
  }

  /** A take-over or restore under way ends soon, by failing. */
  cancel(): void {
    this.#isCancelled = true
  }

  /** Empties the store, which could not be proved right; the next take-over restores it. */
  async wipeStore(reason: CodedError): Promise<void> {
    await this.#store?.wipe('damaged', reason.message)
  }

  /**
   * Gives the task up; what is not committed is lost here and read again by the next owner. `clean`: the store is in order
   * and says so.
   */
  async close(options: { clean: boolean }): Promise<void> {
    if (this.#state === 'closed') return
    this.#isCancelled = true
    this.#dropUncommitted()
    this.#change('closed')
    await this.#store?.close(options)
  }

  #dropUncommitted(): void {
    this.#group.stop()
    this.#hasNews = false
    this.ages.takeOldest()
    this.#store?.dropUncommitted()
    this.#work?.transactions.close()
    this.#work = null
  }

  #change(to: TaskState): void {
    this.#state = transition(this.id, this.#state, to)
    this.#environment.observer.taskChanged?.(this.id, to)
  }
}
