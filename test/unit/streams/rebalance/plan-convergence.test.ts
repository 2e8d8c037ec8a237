import fc from 'fast-check'
import { expect, test } from 'vitest'
import { planAssignment } from '../../../../src/streams/rebalance/assignment-plan.ts'
import type {
  Plan,
  PlanMember,
  PlanSettings,
  PlanTask,
} from '../../../../src/streams/rebalance/plan-types.ts'
import { acceptableLag, isEven, member, standbyProcesses, tasksOf } from './clusters.ts'

/**
 * A group over time: processes with disks, changelogs that grow, stores that are restored little by little. After each event the
 * members tell what they have, and take what they are given.
 */
class Group {
  readonly tasks: readonly PlanTask[]
  readonly #settings: PlanSettings
  readonly #ends = new Map<string, number>()
  /** Up to where each store on disk has got, by process. Disks stay when a process goes. */
  readonly #disks = new Map<string, Map<string, number>>()
  members: PlanMember[] = []
  plan: Plan = { members: new Map(), isFinal: true }

  constructor(tasks: readonly PlanTask[], settings: PlanSettings) {
    this.tasks = tasks
    this.#settings = settings
    for (const { id } of tasks) this.#ends.set(id, 1000)
  }

  get processes(): string[] {
    return [...new Set(this.members.map(({ processId }) => processId))]
  }

  join(processId: string, threads: number, takesStandbys: boolean): void {
    if (this.processes.includes(processId)) return
    for (let thread = 0; thread < threads; thread += 1)
      this.members.push(member(`${processId}-${thread}`, { processId, takesStandbys }))
  }

  leave(processId: string): void {
    this.members = this.members.filter((each) => each.processId !== processId)
  }

  produce(records: number): void {
    for (const [task, end] of this.#ends) this.#ends.set(task, end + records)
    // What runs keeps up.
    this.#restore(({ activeTasks }) => activeTasks)
    this.#restore(({ standbyTasks }, processId) =>
      standbyTasks.filter(
        (task) => (this.#position(processId, task) ?? 0) >= this.#endOf(task) - records - 10,
      ),
    )
  }

  /** Some awaited stores have got to the end of their changelog. */
  warmUp(): void {
    this.#restore(({ awaitedTasks }) => awaitedTasks.slice(0, 1))
  }

  rebalance(): void {
    this.members = this.members.map((each) => ({ ...each, storeLags: this.#lags(each) }))
    this.plan = planAssignment(this.tasks, this.members, this.#settings)
    this.members = this.members.map((each) => {
      const { activeTasks = [], standbyTasks = [] } = this.plan.members.get(each.memberId) ?? {}
      return { ...each, ownedTasks: activeTasks, standbyTasks }
    })
    this.#restore(({ activeTasks }) => activeTasks)
    for (const [memberId, { standbyTasks }] of this.plan.members) {
      const disk = this.#diskOf(memberId)
      for (const task of standbyTasks) disk.set(task, disk.get(task) ?? 0)
    }
  }

  #lags({ processId, takesStandbys }: PlanMember): Map<string, number> {
    return new Map(
      [...(this.#disks.get(processId) ?? [])].map(([task, position]) => [
        task,
        takesStandbys ? this.#endOf(task) - position : Number.POSITIVE_INFINITY,
      ]),
    )
  }

  #restore(
    tasksOfMember: (
      mine: NonNullable<ReturnType<Plan['members']['get']>>,
      processId: string,
    ) => readonly string[],
  ) {
    for (const { memberId, processId } of this.members) {
      const mine = this.plan.members.get(memberId)
      if (mine === undefined) continue
      for (const task of tasksOfMember(mine, processId)) this.#diskOf(memberId).set(task, this.#endOf(task))
    }
  }

  #diskOf(memberId: string): Map<string, number> {
    const processId = memberId.slice(0, memberId.indexOf('-'))
    const disk = this.#disks.get(processId) ?? new Map<string, number>()
    this.#disks.set(processId, disk)
    return disk
  }

  #position(processId: string, task: string): number | undefined {
    return this.#disks.get(processId)?.get(task)
  }

  #endOf(task: string): number {
    return this.#ends.get(task) ?? 0
  }
}

const event = fc.oneof(
  fc.record({
    kind: fc.constant('join' as const),
    process: fc.nat(5),
    threads: fc.integer({ min: 1, max: 2 }),
  }),
  fc.record({ kind: fc.constant('leave' as const), process: fc.nat(5) }),
  fc.record({ kind: fc.constant('restart' as const), process: fc.nat(5) }),
  fc.record({ kind: fc.constant('produce' as const), records: fc.constantFrom(1, 60, 500) }),
  fc.record({ kind: fc.constant('warm up' as const) }),
)

const histories = fc.record({
  counts: fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 9 })),
  settings: fc.record({
    standbyReplicas: fc.integer({ min: 0, max: 2 }),
    acceptableLag: fc.constant(acceptableLag),
    maxWarmups: fc.integer({ min: 0, max: 2 }),
  }),
  hasOldProcess: fc.boolean(),
  events: fc.array(event, { maxLength: 25 }),
})

function live({
  counts,
  settings,
  hasOldProcess,
  events,
}: typeof histories extends fc.Arbitrary<infer T> ? T : never) {
  const group = new Group(tasksOf(counts), settings)
  group.join('0', 1, true)
  group.rebalance()
  for (const happening of events) {
    if (happening.kind === 'produce') group.produce(happening.records)
    if (happening.kind === 'warm up') group.warmUp()
    // Process 5 is one of the version before, or not.
    if (happening.kind === 'join')
      group.join(String(happening.process), happening.threads, happening.process < 5 || !hasOldProcess)
    if (happening.kind === 'leave' && group.processes.length > 1) group.leave(String(happening.process))
    if (happening.kind === 'restart' && group.processes.includes(String(happening.process))) {
      const threads = group.members.filter(({ processId }) => processId === String(happening.process))
      group.leave(String(happening.process))
      group.join(String(happening.process), threads.length, threads[0]?.takesStandbys ?? true)
    }
    if (group.processes.length === 0) group.join('0', 1, true)
    if (happening.kind !== 'produce') group.rebalance()
  }
  return group
}

test('once members come and go no more, at most as many plans as there are tasks lead to one that stays', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const group = live(history)
      group.rebalance()
      let plans = 0
      for (; !group.plan.isFinal; plans += 1) {
        expect(plans).toBeLessThan(group.tasks.length)
        group.warmUp()
        group.rebalance()
      }
      const { plan } = group
      for (const records of [0, 30, 30]) {
        group.produce(records)
        group.rebalance()
        expect(group.plan).toEqual(plan)
      }
    }),
    { numRuns: 150 },
  )
})

test('a plan that waits changes no more after two rebalances in which no store has become warm', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const group = live(history)
      group.rebalance()
      // Standby tasks that it gave may make other aims cheaper; then it changes, but not for ever.
      group.rebalance()
      group.rebalance()
      const { plan } = group
      group.rebalance()
      expect(group.plan).toEqual(plan)
    }),
    { numRuns: 150 },
  )
})

test('a final plan is even, and has all its copies', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const group = live(history)
      const { standbyReplicas } = history.settings
      for (group.rebalance(); !group.plan.isFinal; group.rebalance()) group.warmUp()
      expect(
        isEven(
          group.tasks,
          [...group.plan.members.values()].map(({ activeTasks }) => ({
            threads: 1,
            tasks: group.tasks.filter(({ id }) => activeTasks.includes(id)),
          })),
        ),
      ).toBe(true)
      if (group.members.some(({ takesStandbys }) => !takesStandbys)) return
      const copies = Math.min(standbyReplicas, group.processes.length - 1)
      const standbys = standbyProcesses(group.plan, group.members)
      for (const { id, isStateful } of group.tasks)
        expect(standbys.get(id) ?? []).toHaveLength(isStateful ? copies : 0)
    }),
  )
})
