/** What a plan is made of, and what it says. */

export interface PlanTask {
  /** Such as `1_3`. */
  readonly id: string
  readonly subtopology: number
  /** Whether it has a store, so that moving it may mean restoring. */
  readonly isStateful: boolean
  /** How much work it is beside others: a small positive integer, the same for all tasks of a subtopology. */
  readonly weight: number
}

/** A stream thread, as the leader knows it. Ids of tasks that are not to be planned do no harm. */
export interface PlanMember {
  readonly memberId: string
  /** Threads of one process share its disk. */
  readonly processId: string
  readonly ownedTasks: readonly string[]
  readonly standbyTasks: readonly string[]
  /**
   * The stores on the process's disk: how many changelog records each is behind the changelog's end; Infinity where that is
   * unknown. A task that is owned counts as not behind, whatever is said here.
   */
  readonly storeLags: ReadonlyMap<string, number>
  /** False for a member of a version that knows no standby tasks. */
  readonly takesStandbys: boolean
}

export interface PlanSettings {
  /** Copies of each store beside the active one. */
  readonly standbyReplicas: number
  /** A store that is at most so many changelog records behind is warm: a task can move to it at once. */
  readonly acceptableLag: number
  /** Stores restored at once for tasks that wait to move there. 0: no task waits, each moves at once. */
  readonly maxWarmups: number
}

export const defaultPlanSettings: PlanSettings = { standbyReplicas: 0, acceptableLag: 10_000, maxWarmups: 2 }

/** Lists are sorted. */
export interface MemberPlan {
  readonly activeTasks: readonly string[]
  /** Stores to be kept warm, those in `awaitedTasks` included. */
  readonly standbyTasks: readonly string[]
  /** Those of its standby tasks that the next plan waits for: once warm, the member shall ask for that plan. */
  readonly awaitedTasks: readonly string[]
}

export interface Plan {
  /** By member id. */
  readonly members: ReadonlyMap<string, MemberPlan>
  /** False if something waits for a store to become warm. */
  readonly isFinal: boolean
}

/** By numbers, so that `0_10` comes after `0_9`; what is no task id by code unit. */
export function compareTasks(a: string, b: string): number {
  const [subtopologyA = NaN, partitionA = NaN] = a.split('_').map(Number)
  const [subtopologyB = NaN, partitionB = NaN] = b.split('_').map(Number)
  return subtopologyA - subtopologyB || partitionA - partitionB || compareIds(a, b)
}

/** By code unit, which no locale changes. */
export function compareIds(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
