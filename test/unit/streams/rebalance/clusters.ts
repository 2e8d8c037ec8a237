import fc from 'fast-check'
import type {
  Plan,
  PlanMember,
  PlanSettings,
  PlanTask,
} from '../../../../src/streams/rebalance/plan-types.ts'

/** Groups as a leader may meet them: whatever members may say, be it contradictory or out of date. */
export interface Cluster {
  readonly tasks: readonly PlanTask[]
  readonly members: readonly PlanMember[]
  readonly settings: PlanSettings
}

interface Sizes {
  readonly maxTasks: number
  readonly maxMembers: number
  readonly maxThreads: number
  /** Whether tasks may be claimed by several members, as after a split of the group. */
  readonly areClaimsDisputed?: boolean
}

export const acceptableLag = 100

export function member(memberId: string, parts: Partial<PlanMember> = {}): PlanMember {
  return {
    memberId,
    processId: memberId,
    ownedTasks: [],
    standbyTasks: [],
    storeLags: new Map(),
    takesStandbys: true,
    ...parts,
  }
}

/** `counts[s]` tasks of subtopology s. The last subtopology has stores, others have as `stateful` says. */
export function tasksOf(
  counts: readonly number[],
  weights: readonly number[] = [],
  stateful: readonly boolean[] = [],
): PlanTask[] {
  return counts.flatMap((count, subtopology) =>
    Array.from({ length: count }, (_, partition) => ({
      id: `${subtopology}_${partition}`,
      subtopology,
      isStateful: stateful[subtopology] ?? subtopology === counts.length - 1,
      weight: weights[subtopology] ?? 1,
    })),
  )
}

const lag = fc.constantFrom(0, 50, acceptableLag, 101, 900, 5000, 1e6, Number.POSITIVE_INFINITY)

export function clusters({ maxTasks, maxMembers, maxThreads, areClaimsDisputed = true }: Sizes) {
  const shape = fc.record({
    counts: fc
      .array(fc.integer({ min: 1, max: maxTasks }), { minLength: 1, maxLength: 3, size: 'max' })
      .filter((counts) => counts.reduce((sum, count) => sum + count) <= maxTasks),
    weights: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 3 }),
    stateful: fc.array(
      fc.integer({ min: 0, max: 3 }).map((one) => one > 0),
      { minLength: 3, maxLength: 3 },
    ),
    // Tasks crowd at the first members, as before others join; and few stores are anywhere else, or many.
    ownerCount: fc.integer({ min: 1, max: maxMembers }),
    storesOfTen: fc.integer({ min: 0, max: 9 }),
    threads: fc
      .array(fc.record({ count: fc.constantFrom(1, 1, 1, maxThreads), isOld: fc.nat({ max: 9 }) }), {
        minLength: 1,
        maxLength: maxMembers,
        size: 'max',
      })
      .filter((processes) => processes.reduce((sum, { count }) => sum + count, 0) <= maxMembers),
    settings: fc.record({
      standbyReplicas: fc.integer({ min: 0, max: 2 }),
      acceptableLag: fc.constant(acceptableLag),
      maxWarmups: fc.integer({ min: 0, max: 2 }),
    }),
  })
  return shape.chain(({ counts, weights, stateful, ownerCount, storesOfTen, threads, settings }) => {
    const tasks = tasksOf(counts, weights, stateful)
    const ids = tasks.map(({ id }) => id)
    const members = threads.flatMap(({ count, isOld }, process) =>
      Array.from({ length: count }, (_, thread) => ({ process, thread, takesStandbys: isOld !== 0 })),
    )
    // Who owns each task: none, one, or, if disputed, two.
    const owner = fc.integer({ min: -1, max: Math.min(ownerCount, members.length) - 1 })
    const secondOwner = fc.integer({ min: -8, max: members.length - 1 })
    const claims = fc.array(fc.tuple(owner, areClaimsDisputed ? secondOwner : fc.constant(-1)), {
      minLength: ids.length,
      maxLength: ids.length,
    })
    const store = fc.oneof(
      { weight: 10 - storesOfTen, arbitrary: fc.constant(null) },
      { weight: storesOfTen, arbitrary: lag },
    )
    const stores = fc.array(fc.array(store, { minLength: ids.length, maxLength: ids.length }), {
      minLength: threads.length,
      maxLength: threads.length,
    })
    const standbys = fc.array(fc.subarray([...ids, '9_0'], { maxLength: Math.ceil(ids.length / 3) }), {
      minLength: members.length,
      maxLength: members.length,
    })
    return fc.record({ claims, stores, standbys }).map(
      (said): Cluster => ({
        tasks,
        settings,
        members: members.map(({ process, thread, takesStandbys }, index) =>
          member(`member-${process}-${thread}`, {
            processId: `process-${process}`,
            takesStandbys,
            ownedTasks: ids.filter((_, task) => said.claims[task]?.includes(index)),
            standbyTasks: takesStandbys ? (said.standbys[index] ?? []) : [],
            storeLags: new Map(
              [...ids, '8_0'].flatMap((id, task) => {
                const storeLag = said.stores[process]?.[task]
                return storeLag == null ? [] : [[id, takesStandbys ? storeLag : Number.POSITIVE_INFINITY]]
              }),
            ),
          }),
        ),
      }),
    )
  })
}

/** The process where each task is active. */
export function activeProcesses(plan: Plan, members: readonly PlanMember[]): Map<string, string> {
  return new Map(
    members.flatMap(({ memberId, processId }) =>
      (plan.members.get(memberId)?.activeTasks ?? []).map((task) => [task, processId]),
    ),
  )
}

/** All copies of each store beside the active one, by task. */
export function standbyProcesses(plan: Plan, members: readonly PlanMember[]): Map<string, string[]> {
  const places = new Map<string, string[]>()
  for (const { memberId, processId } of members) {
    for (const task of plan.members.get(memberId)?.standbyTasks ?? [])
      places.set(task, [...(places.get(task) ?? []), processId])
  }
  return places
}

/** What the members come back with after a plan: they hold what it gave them, and what they owned stays on disk. */
export function holding(members: readonly PlanMember[], plan: Plan): PlanMember[] {
  return members.map((before) => {
    const { activeTasks = [], standbyTasks = [] } = plan.members.get(before.memberId) ?? {}
    const left = members.flatMap(({ processId, ownedTasks }) =>
      processId === before.processId ? ownedTasks.map((task): [string, number] => [task, 0]) : [],
    )
    return {
      ...before,
      ownedTasks: activeTasks,
      standbyTasks,
      storeLags: new Map([...before.storeLags, ...left]),
    }
  })
}

/** Whether the numbers of tasks keep to the fair shares, rounded down or up: per subtopology, and per least weight. */
export function isEven(
  tasks: readonly PlanTask[],
  loads: readonly { readonly threads: number; readonly tasks: readonly PlanTask[] }[],
): boolean {
  const threads = loads.reduce((sum, load) => sum + load.threads, 0)
  const kinds = [
    ...new Set(
      tasks.map(
        ({ subtopology }) =>
          (task: PlanTask) =>
            task.subtopology === subtopology,
      ),
    ),
    ...new Set(
      tasks.map(
        ({ weight }) =>
          (task: PlanTask) =>
            task.weight >= weight,
      ),
    ),
  ]
  return kinds.every((isOfKind) => {
    const all = tasks.filter(isOfKind).length
    return loads.every((load) => {
      const share = (all * load.threads) / threads
      const count = load.tasks.filter(isOfKind).length
      return count > share - 1 && count < share + 1
    })
  })
}
