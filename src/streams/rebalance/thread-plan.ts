import { spreadEvenly, type Wishes } from './even-spread.ts'
import type { PlanProcess } from './plan-process.ts'
import { compareTasks, type MemberPlan, type PlanMember, type PlanTask } from './plan-types.ts'

/** What a process got. */
export interface ProcessPlan {
  readonly active: PlanTask[]
  /** With those that are awaited. */
  readonly standby: Set<PlanTask>
  readonly awaited: Set<PlanTask>
}

/**
 * Spreads what a process got over its threads: active tasks evenly, then standby tasks evenly. All threads use the same disk,
 * so a task that changes its thread is not restored; still it stays where it is as far as evenness allows, and goes better
 * to the thread that has its store open already.
 */
export function planThreads(process: PlanProcess, plan: ProcessPlan): [memberId: string, MemberPlan][] {
  const threads = process.members.map((member) => new Thread(member))
  const active = spreadEvenly(plan.active.toSorted(byId), threads, ({ id }) =>
    wishes(threads, (thread) => (thread.owned.has(id) ? 0 : thread.standbys.has(id) ? 1 : 2)),
  )
  const countOf = (thread: Thread): number => active.get(thread)?.length ?? 0
  const move = 1 + Math.max(...threads.map(countOf))
  // Among threads that are equally good, to the one with fewer active tasks.
  const standby = spreadEvenly([...plan.standby].toSorted(byId), threads, ({ id }) =>
    wishes(
      threads,
      (thread) => countOf(thread) + move * (thread.standbys.has(id) ? 0 : thread.owned.has(id) ? 1 : 2),
    ),
  )
  const awaited = new Set([...plan.awaited].map(({ id }) => id))
  return threads.map((thread) => {
    const standbyTasks = (standby.get(thread) ?? []).map(({ id }) => id)
    return [
      thread.memberId,
      {
        activeTasks: (active.get(thread) ?? []).map(({ id }) => id),
        standbyTasks,
        awaitedTasks: standbyTasks.filter((id) => awaited.has(id)),
      },
    ]
  })
}

class Thread {
  readonly threads = 1
  readonly memberId: string
  readonly owned: ReadonlySet<string>
  readonly standbys: ReadonlySet<string>

  constructor({ memberId, ownedTasks, standbyTasks }: PlanMember) {
    this.memberId = memberId
    this.owned = new Set(ownedTasks)
    this.standbys = new Set(standbyTasks)
  }
}

function wishes(threads: readonly Thread[], priceOf: (thread: Thread) => number): Wishes<Thread> {
  const at = new Map(threads.map((thread) => [thread, priceOf(thread)]))
  return { elsewhere: Math.max(...at.values()), at }
}

function byId(a: PlanTask, b: PlanTask): number {
  return compareTasks(a.id, b.id)
}
