import { compareIds, type PlanMember, type PlanSettings } from './plan-types.ts'

/** The threads of one process, and what they have together: a store on disk serves any of them. */
export class PlanProcess {
  readonly id: string
  /** Sorted by id. */
  readonly members: readonly PlanMember[]
  readonly takesStandbys: boolean
  readonly #acceptableLag: number
  readonly #owned: ReadonlySet<string>
  readonly #standbys: ReadonlySet<string>
  readonly #lags = new Map<string, number>()

  constructor(id: string, members: readonly PlanMember[], { acceptableLag }: PlanSettings) {
    this.id = id
    this.members = members
    this.takesStandbys = members.every(({ takesStandbys }) => takesStandbys)
    this.#acceptableLag = acceptableLag
    this.#owned = new Set(members.flatMap(({ ownedTasks }) => ownedTasks))
    this.#standbys = new Set(members.flatMap(({ standbyTasks }) => standbyTasks))
    for (const { storeLags } of members) {
      for (const [task, lag] of storeLags) this.#lags.set(task, Math.min(lag, this.lag(task)))
    }
    for (const task of this.#standbys) this.#lags.set(task, this.lag(task))
    for (const task of this.#owned) this.#lags.set(task, 0)
  }

  get threads(): number {
    return this.members.length
  }

  /** Tasks whose store is here in whatever state, or that are owned. */
  get knownTasks(): Iterable<string> {
    return this.#lags.keys()
  }

  owns(task: string): boolean {
    return this.#owned.has(task)
  }

  isStandby(task: string): boolean {
    return this.#standbys.has(task)
  }

  /** Changelog records that the store is behind; Infinity where that is unknown or no store is here. */
  lag(task: string): number {
    return this.#lags.get(task) ?? Number.POSITIVE_INFINITY
  }

  isWarm(task: string): boolean {
    return this.#lags.has(task) && this.lag(task) <= this.#acceptableLag
  }

  /**
   * How much it takes until the store is at the end of its changelog here, from 0 to `coldest`: 0 where the task is owned, 1
   * where the store is warm, 2 where it is being warmed up, then one more for each tenfold of the acceptable lag.
   */
  coldness(task: string): number {
    if (this.#owned.has(task)) return 0
    if (this.isWarm(task)) return 1
    if (this.#standbys.has(task)) return 2
    if (!this.#lags.has(task)) return coldest
    const lag = this.lag(task)
    if (lag === Number.POSITIVE_INFINITY) return coldest - 1
    return Math.min(coldest - 2, 2 + Math.ceil(Math.log10(lag / Math.max(1, this.#acceptableLag))))
  }
}

/** Of a process that has nothing of the store. */
export const coldest = 9

/** Sorted by id. */
export function processesOf(members: readonly PlanMember[], settings: PlanSettings): PlanProcess[] {
  const byProcess = Map.groupBy(
    members.toSorted((a, b) => compareIds(a.memberId, b.memberId)),
    ({ processId }) => processId,
  )
  return [...byProcess]
    .toSorted(([a], [b]) => compareIds(a, b))
    .map(([id, threads]) => new PlanProcess(id, threads, settings))
}
