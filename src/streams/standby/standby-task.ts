import { CodedError } from '../../errors.ts'
import type { FetchedRecords, Fetcher, TopicPartition } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { applyChangelog } from '../changelog/apply-changelog.ts'
import { restorePosition } from '../changelog/restore-position.ts'
import { SerialQueue } from '../serial-queue.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { TaskEnvironment } from '../task/task-environment.ts'
import { openTaskStore } from '../task/task-store-opening.ts'
import { parseTaskId } from '../topology/task-id.ts'
import type { StoreNode } from '../topology/topology.ts'

/** A store that keeps up says so in its own records this often, lest it be taken for one that has missed deletions. */
const noteEveryMs = 60_000

/**
 * A copy of a task's store that follows the changelog, and does nothing else: it reads what is committed, and neither fences nor owns
 * anything. Its position moves with its data, as that of any store, so that whoever takes the task over restores the rest.
 */
export class StandbyTask {
  readonly id: string
  readonly changelog: TopicPartition
  readonly #environment: TaskEnvironment
  readonly #fetcher: Fetcher
  readonly #node: StoreNode
  readonly #log: Log
  #store: TaskStore | null = null
  #isCancelled = false
  #isApplying = false
  /** Opening, or the chunk that is being applied; there is one at a time. */
  readonly #work = new SerialQueue()
  #notedAt: number

  /** Throws INTERNAL for a task that has no store. */
  constructor(id: string, environment: TaskEnvironment, fetcher: Fetcher) {
    const taskId = parseTaskId(id)
    const store = taskId === null ? null : environment.topology.subtopologies[taskId.subtopology]?.store
    if (taskId === null || store === null || store === undefined) {
      throw new CodedError('INTERNAL', {
        operation: 'create a standby task',
        task: id,
        detail: 'It has no store.',
      })
    }
    this.id = id
    this.changelog = { topic: store.changelogTopic, partition: taskId.partition }
    this.#environment = environment
    this.#fetcher = fetcher
    this.#node = store
    this.#log = environment.log.child({ task: id })
    this.#notedAt = environment.clock.monotonic()
  }

  /** Opens the store and begins to follow. Rejects with what fails; TASK_MIGRATED if it is given up meanwhile. */
  start(): Promise<void> {
    return this.#work.run(async () => {
      this.#store ??= await openTaskStore(this.#environment, {
        id: this.id,
        node: this.#node,
        changelog: this.changelog,
        log: this.#log,
        isCancelled: () => this.#isCancelled,
      })
      await this.#follow(this.#store)
    })
  }

  async #follow(store: TaskStore): Promise<void> {
    const { from } = await restorePosition(this.#environment.kafka, this.id, this.changelog, store)
    if (!this.#isCancelled) this.#fetcher.seek(this.changelog, from)
  }

  /** Applies a chunk of the changelog. A store that proves to be damaged is emptied, and begins anew. */
  accept(records: FetchedRecords): Promise<void> {
    return this.#work.run(async () => {
      const store = this.#store
      if (store === null || this.#isCancelled) return
      this.#isApplying = true
      try {
        await applyChangelog(records, this.changelog, store)
        if (records.nextOffset >= records.lastStableOffset) await this.#noteCaughtUp(store)
      } catch (error) {
        if (!(error instanceof CodedError) || error.behaviour !== 'wipe-and-restore') throw error
        await store.wipe('damaged', error.message)
        await this.#follow(store)
      } finally {
        this.#isApplying = false
      }
    })
  }

  async #noteCaughtUp(store: TaskStore): Promise<void> {
    const now = this.#environment.clock.monotonic()
    if (now - this.#notedAt < noteEveryMs) return
    this.#notedAt = now
    await store.finishRestore()
  }

  /** Changelog records between the store and the last stable offset; null while unknown. */
  get lag(): number | null {
    if (this.#store === null || this.#isCancelled) return null
    const stable = this.#fetcher.lastStableOffset(this.changelog)
    if (stable === null) return null
    // The fetcher's position passes markers, of which the store hears nothing.
    const position = this.#isApplying ? this.#store.changelogPosition : this.#fetcher.position(this.changelog)
    return Math.max(0, stable - position)
  }

  /** Stops following. Resolves with the open store, for the task that takes over; null if it is not open. */
  async release(): Promise<TaskStore | null> {
    this.#isCancelled = true
    this.#fetcher.remove(this.changelog)
    await this.#work.idle
    const store = this.#store
    this.#store = null
    return store
  }

  /** Stops following and closes the store, marked as in order. */
  async close(): Promise<void> {
    const store = await this.release()
    await store?.close({ clean: true })
  }
}
