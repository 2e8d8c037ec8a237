import { CodedError } from '../../errors.ts'
import type { FetchedRecords, TopicPartition, TransactionalProducer } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { dataRecordKey, encodeMeta, metaRecordKey } from '../changelog/changelog-record.ts'
import { TaskStore } from '../store/task-store.ts'
import type { CommitMeta } from '../store/types.ts'
import { formatTaskId, type TaskId } from '../topology/task-id.ts'
import type { Subtopology } from '../topology/topology.ts'
import { commitFrozen, type FrozenCommit } from './commit.ts'
import { encodeOffsetMetadata } from './offset-metadata.ts'
import { ProcessorGraph } from './processor-graph.ts'
import { RecordCollector } from './record-collector.ts'
import {
  type CommittedState,
  committedStateOfStatefulTask,
  committedStateOfStatelessTask,
  fenceOldOwner,
} from './take-over.ts'
import type { TaskEnvironment } from './task-environment.ts'
import { type TaskState, transition } from './task-state.ts'

/** A task that only its offsets move (markers, skipped batches) commits so often. */
const offsetsOnlyIntervalMs = 1000
/** When caught up, at least so long between two commits, so that a trickle does not become a transaction per record. */
const caughtUpIntervalMs = 5
/** Chunks that may wait for a task beyond the one it works on. */
const maxQueuedChunks = 1

/** Everything that a commit takes with it and an abort drops. */
interface Work {
  readonly producer: TransactionalProducer
  readonly collector: RecordCollector
  readonly graph: ProcessorGraph
}

/**
 * One subtopology on one partition: the unit of assignment, state, commit and failure. Its stream thread calls it;
 * it never calls itself. At most one of `takeOver`, `punctuate` and `commit` that touch Kafka run at a time; records may be
 * processed while a commit is under way.
 */
export class StreamTask {
  readonly id: string
  readonly partition: number
  readonly inputs: readonly TopicPartition[]
  readonly #subtopology: Subtopology
  readonly #environment: TaskEnvironment
  readonly #log: Log
  #state: TaskState = 'created'
  #store: TaskStore | null = null
  #work: Work | null = null
  #queue: FetchedRecords[] = []
  #positions: Record<string, number> = {}
  #committedOffsets: Record<string, number> = {}
  #hasNews = false
  #isPunctuating = false
  #commit: Promise<void> | null = null
  #lastCommitAt = 0
  #isCancelled = false

  constructor(id: TaskId, environment: TaskEnvironment) {
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
    this.#environment = environment
    this.#log = environment.log.child({ task: this.id })
    this.inputs = subtopology.sources
      .filter(({ topic }) => id.partition < environment.catalog.partitionCount(topic))
      .map(({ topic }) => ({ topic, partition: id.partition }))
  }

  get state(): TaskState {
    return this.#state
  }

  get isCommitting(): boolean {
    return this.#commit !== null
  }

  /** Records between the position and the last stable offset, or null while unknown. */
  get lag(): number | null {
    let lag = 0
    for (const input of this.inputs) {
      const end = this.#environment.inputs.lastStableOffset(input)
      if (end === null) return null
      lag += Math.max(0, end - (this.#positions[input.topic] ?? 0))
    }
    return lag
  }

  /**
   * Makes the task ours and brings it to its committed state, from wherever it stood: the steps of `take-over.ts`.
   * Uncommitted work is dropped.
   */
  async takeOver(): Promise<void> {
    this.#change('restoring')
    this.#dropUncommitted()
    const environment = this.#environment
    const transactionalId = `${environment.topology.applicationId}-${this.id}`
    // 2.
    const producer = await fenceOldOwner(environment, transactionalId)
    try {
      // 3. to 5.
      const committed = await this.#committedState()
      if (this.#isCancelled)
        throw new CodedError('TASK_MIGRATED', { operation: 'take over a task', task: this.id })
      // 6.
      this.#begin(producer, committed)
    } catch (error) {
      producer.close()
      throw error
    }
  }

  async #committedState(): Promise<CommittedState> {
    const changelog = this.#changelog()
    if (changelog === null) {
      return committedStateOfStatelessTask(this.#environment, this.id, this.inputs)
    }
    this.#store ??= await this.#openStore(changelog)
    return committedStateOfStatefulTask(
      this.#environment,
      this.id,
      this.inputs,
      changelog,
      this.#store,
      () => this.#isCancelled,
    )
  }

  #begin(producer: TransactionalProducer, committed: CommittedState): void {
    const environment = this.#environment
    const collector = new RecordCollector(() => producer.appender())
    const graph = new ProcessorGraph({
      taskId: this.id,
      partition: this.partition,
      subtopology: this.#subtopology,
      environment,
      collector,
      store: this.#store,
      streamTime: committed.streamTime,
      counted: committed.meta?.counted ?? {},
      log: this.#log,
    })
    this.#work = { producer, collector, graph }
    this.#positions = { ...committed.inputOffsets }
    this.#committedOffsets = { ...committed.inputOffsets }
    this.#lastCommitAt = environment.clock.monotonic()
    for (const input of this.inputs) environment.inputs.seek(input, this.#positions[input.topic] ?? 0)
    this.#change('running')
  }

  /** Takes a chunk of an input of this task; the thread pauses the partition while enough is waiting. */
  enqueue(chunk: FetchedRecords): void {
    if (this.#state !== 'running') return
    this.#queue.push(chunk)
    if (this.#queue.length > maxQueuedChunks) this.#environment.inputs.pause(chunk)
  }

  /** Processes what is queued until `deadline` (monotonic ms). Returns whether anything was done. */
  process(deadline: number): boolean {
    const work = this.#work
    if (this.#state !== 'running' || work === null || this.#isPunctuating) return false
    let isBusy = false
    work.graph.beginSlice()
    while (this.#mayProcess(work)) {
      const chunk = this.#queue[0]
      if (chunk === undefined) break
      isBusy = true
      const isDone = this.#processSlice(work, chunk)
      if (isDone) {
        this.#queue.shift()
        this.#environment.inputs.resume(chunk)
      }
      if (this.#environment.clock.monotonic() >= deadline) break
    }
    return isBusy
  }

  /** A task that holds much uncommitted work waits for the commit under way; memory stays bounded. */
  #mayProcess(work: Work): boolean {
    if (!work.graph.isBetweenSourceTransactions) return true
    return (
      this.#commit === null || this.#uncommittedBytes(work) < this.#environment.settings.maxUncommittedBytes
    )
  }

  /** Some hundred records of a chunk; true at its end. */
  #processSlice(work: Work, chunk: FetchedRecords): boolean {
    for (let left = 512; left > 0; left--) {
      const record = chunk.next()
      if (record === null) {
        this.#positions[chunk.topic] = chunk.nextOffset
        return true
      }
      try {
        work.graph.process(record, chunk)
      } catch (error) {
        throw this.#locate(error, chunk.topic, record.offset)
      }
      this.#positions[chunk.topic] = record.offset + 1
      this.#hasNews = true
    }
    return false
  }

  #locate(error: unknown, topic: string, offset: number): unknown {
    if (error instanceof CodedError) return error
    return new CodedError('INTERNAL', {
      operation: 'process a record',
      task: this.id,
      topic,
      partition: this.partition,
      offset,
      detail: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
      cause: error,
    })
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
        if (this.#uncommittedBytes(work) >= this.#environment.settings.maxUncommittedBytes) break
      }
    } finally {
      this.#isPunctuating = false
    }
  }

  /** Whether everything that was there to read has been processed. */
  get isCaughtUp(): boolean {
    if (this.#state !== 'running' || this.#queue.length > 0) return false
    for (const input of this.inputs) {
      const end = this.#environment.inputs.lastStableOffset(input)
      if (end === null || this.#environment.inputs.position(input) < end) return false
      // Nothing visible stands between the last record and here; markers and aborted records are passed for good.
      this.#positions[input.topic] = Math.max(
        this.#positions[input.topic] ?? 0,
        this.#environment.inputs.position(input),
      )
    }
    return true
  }

  /** Whether `commit` should be called now. */
  get wantsCommit(): boolean {
    const work = this.#work
    if (this.#state !== 'running' || work === null || this.#commit !== null || this.#isPunctuating)
      return false
    if (!work.graph.isBetweenSourceTransactions) return false
    const { settings, clock } = this.#environment
    const sinceLast = clock.monotonic() - this.#lastCommitAt
    const isCaughtUp = this.isCaughtUp
    if (!this.#hasNews && !work.graph.wantsCommit) {
      return sinceLast >= offsetsOnlyIntervalMs && this.#hasMoved()
    }
    if (sinceLast >= settings.commitIntervalMs) return true
    if (isCaughtUp && sinceLast >= caughtUpIntervalMs) return true
    return this.#uncommittedBytes(work) >= settings.maxUncommittedBytes
  }

  #hasMoved(): boolean {
    return this.inputs.some(({ topic }) => this.#positions[topic] !== this.#committedOffsets[topic])
  }

  #uncommittedBytes(work: Work): number {
    return work.collector.sizeInBytes + work.graph.sizeInBytes + (this.#store?.overlaySizeInBytes ?? 0)
  }

  /** Commits everything processed so far: the steps of `commit.ts`. Rejects with what failed. */
  commit(): Promise<void> {
    const work = this.#work
    if (work === null || this.#commit !== null) return this.#commit ?? Promise.resolve()
    this.#commit = this.#runCommit(work).finally(() => {
      this.#commit = null
    })
    return this.#commit
  }

  async #runCommit(work: Work): Promise<void> {
    const { clock, member, observer } = this.#environment
    const startedAt = clock.monotonic()
    const caughtUp = this.isCaughtUp
    // 1.
    const frozen = this.#freeze(work, caughtUp)
    // 2. to 5.
    await commitFrozen(frozen, {
      taskId: this.id,
      producer: work.producer,
      member,
      store: this.#store,
      observer,
    })
    for (const { partition, offset } of frozen.offsets) this.#committedOffsets[partition.topic] = offset
    this.#lastCommitAt = clock.monotonic()
    const records = frozen.outgoing.reduce((sum, { records }) => sum + records.recordCount, 0)
    observer.committed?.(this.id, { durationMs: this.#lastCommitAt - startedAt, records, caughtUp })
  }

  #freeze(work: Work, caughtUp: boolean): FrozenCommit {
    const { catalog, clock, fingerprint, topology } = this.#environment
    const inputOffsets = { ...this.#positions }
    work.graph.beginSlice()
    work.graph.flush({ caughtUp, inputOffsets })
    const { streamTime } = work.graph
    const sources = topology.subtopologies.flatMap((subtopology) =>
      subtopology.sources.map(({ topic }) => topic),
    )
    const meta: CommitMeta = {
      version: 1,
      fingerprint,
      topicIds: catalog.ids(sources),
      inputOffsets,
      counted: work.graph.counted(),
      streamTime,
    }
    const changelog = this.#changelog()
    const entries = work.producer.appender()
    if (this.#store !== null) {
      const now = clock.now()
      for (const { key, value } of this.#store.freeze()) entries.append(dataRecordKey(key), value, now)
      entries.append(metaRecordKey, encodeMeta(meta), now)
    }
    this.#hasNews = false
    return {
      outgoing: work.collector.freeze(),
      changelog: changelog === null ? null : { partition: changelog, records: entries },
      offsets: this.inputs.map((partition) => ({
        partition,
        offset: inputOffsets[partition.topic] ?? 0,
        metadata: encodeOffsetMetadata(streamTime),
      })),
      meta,
    }
  }

  /** Below these offsets nothing will be read again by this task. */
  committedOffsets(): { partition: TopicPartition; offset: number }[] {
    return this.inputs.map((partition) => ({
      partition,
      offset: this.#committedOffsets[partition.topic] ?? 0,
    }))
  }

  /** Waits for a commit under way and commits what is left, as far as source transactions allow. */
  async commitBeforeRevoke(): Promise<void> {
    if (this.#commit !== null) await this.#commit
    const work = this.#work
    if (this.#state !== 'running' || work === null || !work.graph.isBetweenSourceTransactions) return
    if (this.#hasNews || work.graph.wantsCommit || this.#hasMoved()) await this.commit()
  }

  /** Gives the task up after `commitBeforeRevoke`; its store is left in order. */
  async closeClean(): Promise<void> {
    await this.#close(true)
  }

  /** Gives the task up as it is: what is uncommitted is lost here and will be read again by the next owner. */
  async closeDirty(): Promise<void> {
    await this.#close(false)
  }

  /** A take-over or restore under way ends soon, by failing. */
  cancel(): void {
    this.#isCancelled = true
  }

  /** Empties the store, which could not be proved right; the next take-over restores it. */
  async wipeStore(reason: CodedError): Promise<void> {
    await this.#store?.wipe('damaged', reason.message)
  }

  async #close(clean: boolean): Promise<void> {
    if (this.#state === 'closed') return
    this.#isCancelled = true
    // A dirty close does not care how the commit ends; whoever started it handles its failure.
    await this.#commit?.catch(() => undefined)
    this.#dropUncommitted()
    this.#change('closed')
    await this.#store?.close({ clean })
  }

  #dropUncommitted(): void {
    for (const input of this.inputs) this.#environment.inputs.remove(input)
    this.#queue = []
    this.#hasNews = false
    this.#store?.dropUncommitted()
    this.#work?.producer.close()
    this.#work = null
  }

  #changelog(): TopicPartition | null {
    const { store } = this.#subtopology
    return store === null ? null : { topic: store.changelogTopic, partition: this.partition }
  }

  async #openStore(changelog: TopicPartition): Promise<TaskStore> {
    const { databases, bootId, clock, catalog, fingerprint, observer } = this.#environment
    const { store } = this.#subtopology
    return TaskStore.open({
      directory: this.#environment.storeDirectory(this.id),
      opener: databases,
      bootId,
      clock,
      log: this.#log,
      identity: {
        clusterId: this.#environment.clusterId,
        taskId: this.id,
        changelogTopic: changelog.topic,
        changelogTopicId: catalog.get(changelog.topic).topicId,
        partition: changelog.partition,
      },
      fingerprint,
      ...(store?.indexKeyOf === undefined ? {} : { indexKeyOf: store.indexKeyOf }),
      maxAgeMs: this.#environment.maxStoreAgeMs(changelog.topic),
      onWipe: (reason, detail) => {
        this.#log.warn({ reason, detail }, 'The store is wiped and restored from the changelog')
        observer.storeWiped?.(this.id, reason, detail)
      },
    })
  }

  #change(to: TaskState): void {
    this.#state = transition(this.id, this.#state, to)
    this.#environment.observer.taskChanged?.(this.id, to)
  }
}
