import { type CodedError, coded } from '../../errors.ts'
import type { FetchedRecords } from '../../ports/kafka.ts'
import type { TaskStore } from '../store/task-store.ts'
import { StreamTask } from '../task/stream-task.ts'
import type { TaskEnvironment } from '../task/task-environment.ts'
import { parseTaskId } from '../topology/task-id.ts'

/** Processors get a turn between records so often. */
const punctuateIntervalMs = 100
/** A task that failed is taken over again after so long, doubled for each further failure in a row. */
const firstBackOffMs = 20
const maxBackOffMs = 2000

/** What runs for a task in the background, and what became of it. */
interface ManagedTask {
  readonly task: StreamTask
  /** The take-over, commit or punctuation under way; there is never more than one. */
  operation: { readonly name: string; readonly startedAt: number; readonly done: Promise<void> } | null
  failure: CodedError | null
  failuresInARow: number
  retryAt: number
  punctuatedAt: number
}

/**
 * The tasks of one stream thread: starts their take-overs, commits and punctuations in the background, shares the thread's time
 * among them, and is the one place that turns the behaviour of an error into what is done.
 */
export class TaskManager {
  readonly #environment: TaskEnvironment
  readonly #onChange: () => void
  readonly #tasks = new Map<string, ManagedTask>()
  #turn = 0

  /** `onChange` is called when something in the background has ended. */
  constructor(environment: TaskEnvironment, onChange: () => void) {
    this.#environment = environment
    this.#onChange = onChange
  }

  get tasks(): StreamTask[] {
    return [...this.#tasks.values()].map(({ task }) => task)
  }

  get taskIds(): string[] {
    return [...this.#tasks.keys()]
  }

  /**
   * Starts and ends tasks so that exactly `assigned` are here. `takeStore`: the open store of what has been a standby task until now.
   * Returns what has changed.
   */
  async assign(
    assigned: readonly string[],
    takeStore: (id: string) => Promise<TaskStore | null>,
  ): Promise<{ added: string[]; revoked: string[] }> {
    const revoked = this.taskIds.filter((id) => !assigned.includes(id))
    await Promise.all(revoked.map((id) => this.#drop(id, 'clean')))
    const added = assigned.filter((id) => !this.#tasks.has(id))
    for (const id of added) {
      const taskId = parseTaskId(id)
      if (taskId === null) continue
      const managed: ManagedTask = {
        task: new StreamTask(taskId, this.#environment, await takeStore(id)),
        operation: null,
        failure: null,
        failuresInARow: 0,
        retryAt: 0,
        punctuatedAt: 0,
      }
      this.#tasks.set(id, managed)
      this.#start(managed, 'take-over', () => managed.task.takeOver())
    }
    const share = this.#environment.settings.maxUncommittedBytes / Math.max(1, this.#tasks.size)
    for (const { task } of this.#tasks.values()) task.maxUncommittedBytes = share
    return { added, revoked }
  }

  /** Gives a fetched chunk to its task. */
  enqueue(chunk: FetchedRecords): void {
    for (const { task } of this.#tasks.values()) {
      if (
        task.inputs.some(({ topic, partition }) => topic === chunk.topic && partition === chunk.partition)
      ) {
        task.enqueue(chunk)
      }
    }
  }

  /** Processes queued records, each task in turn for `sliceMs`. Returns whether anything was done. */
  process(sliceMs: number): boolean {
    const all = [...this.#tasks.values()]
    let isBusy = false
    for (let i = 0; i < all.length; i++) {
      const managed = all[(this.#turn + i) % all.length]
      if (managed === undefined || managed.failure !== null) continue
      try {
        if (managed.task.process(this.#environment.clock.monotonic() + sliceMs)) isBusy = true
      } catch (error) {
        this.#fail(managed, error, 'process records')
      }
    }
    this.#turn += 1
    return isBusy
  }

  /** Starts the commits and punctuations that are due. */
  startDueOperations(): void {
    const now = this.#environment.clock.monotonic()
    const idle = [...this.#tasks.values()].filter(
      ({ failure, operation, task }) => failure === null && operation === null && task.state === 'running',
    )
    const isCaughtUp = this.#areCaughtUp()
    const urgencies = idle.map(({ task }) => task.commitUrgency(isCaughtUp))
    const allTogether = this.#environment.transactions.isShared && urgencies.includes('due')
    for (const [index, managed] of idle.entries()) {
      const urgency = urgencies[index]
      if (urgency === 'due' || (allTogether && urgency === 'welcome')) {
        this.#start(managed, 'commit', () => managed.task.commit())
      } else if (now - managed.punctuatedAt >= punctuateIntervalMs) {
        managed.punctuatedAt = now
        this.#start(managed, 'punctuate', () => managed.task.punctuate())
      }
    }
  }

  /** Whether no running task has anything left to process. */
  #areCaughtUp(): boolean {
    for (const { task } of this.#tasks.values()) {
      if (task.state === 'running' && !task.isCaughtUp) return false
    }
    return true
  }

  #start(managed: ManagedTask, name: string, run: () => Promise<void>): Promise<void> {
    const settled = run().then(
      () => {
        if (name === 'commit') managed.failuresInARow = 0
      },
      (error: unknown) => this.#fail(managed, error, name),
    )
    const done = settled.then(() => {
      managed.operation = null
      this.#onChange()
    })
    managed.operation = { name, startedAt: this.#environment.clock.monotonic(), done }
    return done
  }

  #fail(managed: ManagedTask, error: unknown, operation: string): void {
    managed.failure ??= coded(error, `${operation} (task ${managed.task.id})`)
    const { log } = this.#environment
    log.debug({ task: managed.task.id, operation, failure: managed.failure.code }, 'Task failed')
  }

  /**
   * Deals with what has failed since the last call, by the behaviour of each error. Throws those that stop the process; may
   * ask the member for a rejoin.
   */
  async handleFailures(): Promise<void> {
    const now = this.#environment.clock.monotonic()
    for (const managed of [...this.#tasks.values()]) {
      const { failure, operation } = managed
      if (failure === null || operation !== null || managed.retryAt > now) continue
      switch (failure.behaviour) {
        case 'retry':
        case 'abort':
          this.#recover(managed, failure)
          break
        case 'rejoin':
          await this.#giveUp(managed, failure)
          break
        case 'wipe-and-restore':
          await managed.task.wipeStore(failure)
          this.#recover(managed, failure)
          break
        default:
          throw failure
      }
    }
  }

  /** When the thread ends: throws what must not be passed over. Where commits have failed since the last good one, it is told. */
  settleLastFailures(): void {
    const all = [...this.#tasks.values()]
    for (const { failure } of all) {
      if (failure?.behaviour === 'stop' || failure?.behaviour === 'skip') throw failure
    }
    const tasks = all.filter(({ failure, failuresInARow }) => failure !== null || failuresInARow > 0)
    if (tasks.length === 0) return
    this.#environment.log.warn(
      { tasks: tasks.map(({ task }) => task.id) },
      'Ends without a last commit; the next owner reads again what is not committed',
    )
  }

  /**
   * Takes the task over anew, after a back-off. First the group must say that it still knows us: a stalled zombie must not fence
   * the rightful owner.
   */
  #recover(managed: ManagedTask, failure: CodedError): void {
    const { clock, log, member, observer } = this.#environment
    managed.failuresInARow += 1
    const backOffMs = Math.min(firstBackOffMs * 2 ** (managed.failuresInARow - 1), maxBackOffMs)
    log.warn({ task: managed.task.id, code: failure.code, backOffMs }, failure.message)
    observer.aborted?.(managed.task.id, failure)
    managed.failure = null
    // What is in memory is lost; nothing more may be built on it.
    managed.task.suspend()
    this.#start(managed, 'recover', async () => {
      await clock.sleep(backOffMs)
      await member.confirm()
      await managed.task.takeOver()
    })
  }

  /** The task is not ours any more: another owner, or a later join, goes on with it. */
  async #giveUp(managed: ManagedTask, failure: CodedError): Promise<void> {
    const { log, member, observer } = this.#environment
    log.warn({ task: managed.task.id, code: failure.code }, failure.message)
    observer.aborted?.(managed.task.id, failure)
    this.#tasks.delete(managed.task.id)
    await managed.task.close({ clean: false })
    member.requestRejoin(`task ${managed.task.id}: ${failure.code}`)
  }

  /**
   * Before a rebalance: commits under way end, and what is left is committed. All at once, so that tasks that commit together do so in
   * one transaction. Tasks that are taken over or restored go on meanwhile.
   */
  async commitAll(): Promise<void> {
    const running = [...this.#tasks.values()].filter(({ task }) => task.state === 'running')
    await Promise.all(running.map(({ operation }) => operation?.done))
    const idle = running.filter(({ failure, operation }) => failure === null && operation === null)
    await Promise.all(
      idle.map((managed) => this.#start(managed, 'commit', () => managed.task.commitBeforeRevoke())),
    )
  }

  /** The operation that has been under way for longest, other than restoring. */
  longestOperation(): { task: string; name: string; durationMs: number } | null {
    const now = this.#environment.clock.monotonic()
    let longest: { task: string; name: string; durationMs: number } | null = null
    for (const { task, operation } of this.#tasks.values()) {
      if (operation === null || task.state === 'restoring') continue
      const durationMs = now - operation.startedAt
      if (durationMs > (longest?.durationMs ?? -1))
        longest = { task: task.id, name: operation.name, durationMs }
    }
    return longest
  }

  /** Take-overs under way end soon, before they fence anybody. */
  cancelAll(): void {
    for (const { task } of this.#tasks.values()) task.cancel()
  }

  /** Ends all tasks: `clean` after `commitAll`, `dirty` where they stand. */
  async closeAll(manner: 'clean' | 'dirty'): Promise<void> {
    await Promise.all(this.taskIds.map((id) => this.#drop(id, manner)))
  }

  async #drop(id: string, manner: 'clean' | 'dirty'): Promise<void> {
    const managed = this.#tasks.get(id)
    if (managed === undefined) return
    this.#tasks.delete(id)
    managed.task.cancel()
    await managed.operation?.done
    await managed.task.close({ clean: manner === 'clean' && managed.failure === null })
  }
}
