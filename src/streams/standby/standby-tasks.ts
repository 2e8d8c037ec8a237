import { type CodedError, coded } from '../../errors.ts'
import type { Fetcher } from '../../ports/kafka.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { TaskEnvironment } from '../task/task-environment.ts'
import { StandbyTask } from './standby-task.ts'

/** Small chunks: while one is decoded, the tasks that count wait. */
const maxBytesPerPartition = 256 * 1024
const tryAgainMs = 1000

/**
 * The standby tasks of one stream thread. They share a fetcher, and one chunk after the other is applied, so that memory stays bounded and
 * the changelogs are read no faster than they can be applied.
 */
export class StandbyTasks {
  readonly #environment: TaskEnvironment
  readonly #tasks = new Map<string, StandbyTask>()
  /** Made with the first standby task: most applications have none. */
  #fetcher: Fetcher | null = null
  #isApplying = false
  #failure: CodedError | null = null

  constructor(environment: TaskEnvironment) {
    this.#environment = environment
  }

  get taskIds(): string[] {
    return [...this.#tasks.keys()]
  }

  /** By task, how many changelog records its store is behind; null while unknown. */
  get lags(): Readonly<Record<string, number | null>> {
    return Object.fromEntries([...this.#tasks.values()].map(({ id, lag }) => [id, lag]))
  }

  /** Starts and ends standby tasks so that exactly these are here. Resolves when those that end are closed. */
  async assign(ids: readonly string[]): Promise<void> {
    const ending = [...this.#tasks.values()].filter(({ id }) => !ids.includes(id))
    for (const { id } of ending) this.#tasks.delete(id)
    await Promise.all(ending.map((task) => task.close()))
    for (const id of ids) {
      if (this.#tasks.has(id)) continue
      const task = new StandbyTask(id, this.#environment, this.#sharedFetcher())
      this.#tasks.set(id, task)
      void this.#start(task)
    }
  }

  /** Ends a standby task because the task itself begins here. Its open store, or null if there is none. */
  async take(id: string): Promise<TaskStore | null> {
    const task = this.#tasks.get(id)
    this.#tasks.delete(id)
    return (await task?.release()) ?? null
  }

  /** Throws what a standby task could not survive. */
  throwFailure(): void {
    if (this.#failure === null) return
    const failure = this.#failure
    this.#failure = null
    throw failure
  }

  async closeAll(): Promise<void> {
    await this.assign([])
    await this.#fetcher?.close()
    this.#fetcher = null
  }

  #sharedFetcher(): Fetcher {
    if (this.#fetcher !== null) return this.#fetcher
    const fetcher = this.#environment.kafka.fetcher({ maxBytesPerPartition, isCompacted: true })
    fetcher.onArrival(() => void this.#applyArrived(fetcher))
    this.#fetcher = fetcher
    return fetcher
  }

  async #start(task: StandbyTask): Promise<void> {
    const { clock, log } = this.#environment
    while (this.#tasks.get(task.id) === task) {
      try {
        return await task.start()
      } catch (error) {
        const failure = coded(error, 'start a standby task')
        if (failure.behaviour === 'stop') return this.#fail(failure)
        log.warn({ task: task.id, code: failure.code }, failure.message)
      }
      await clock.sleep(tryAgainMs)
    }
  }

  async #applyArrived(fetcher: Fetcher): Promise<void> {
    if (this.#isApplying) return
    this.#isApplying = true
    try {
      for (let chunk = fetcher.poll(); chunk !== null; chunk = fetcher.poll()) {
        const { topic, partition } = chunk
        const task = [...this.#tasks.values()].find(
          ({ changelog }) => changelog.topic === topic && changelog.partition === partition,
        )
        await task?.accept(chunk)
        await this.#environment.clock.yield()
      }
      fetcher.throwFailure()
    } catch (error) {
      this.#fail(coded(error, 'follow a changelog'))
    } finally {
      this.#isApplying = false
    }
  }

  #fail(failure: CodedError): void {
    this.#failure ??= failure
  }
}
