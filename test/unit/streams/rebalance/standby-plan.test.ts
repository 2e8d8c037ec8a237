import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planAssignment } from '../../../../src/streams/rebalance/assignment-plan.ts'
import { defaultPlanSettings } from '../../../../src/streams/rebalance/plan-types.ts'
import {
  acceptableLag,
  activeProcesses,
  clusters,
  holding,
  member,
  standbyProcesses,
  tasksOf,
} from './clusters.ts'

const anyCluster = clusters({ maxTasks: 16, maxMembers: 7, maxThreads: 3 })
const oneCopy = { ...defaultPlanSettings, standbyReplicas: 1 }

describe('standby tasks', () => {
  test('no process has two copies of a store, and a stateless task has none', () => {
    fc.assert(
      fc.property(anyCluster, ({ tasks, members, settings }) => {
        const plan = planAssignment(tasks, members, settings)
        const active = activeProcesses(plan, members)
        for (const [task, processes] of standbyProcesses(plan, members)) {
          const copies = [...processes, active.get(task)]
          expect(new Set(copies).size).toBe(copies.length)
          expect(tasks.find(({ id }) => id === task)?.isStateful).toBe(true)
        }
      }),
    )
  })

  test('a stateful task has as many copies as are asked for, or one in each other process', () => {
    fc.assert(
      fc.property(anyCluster, ({ tasks, members, settings }) => {
        const plan = planAssignment(tasks, members, settings)
        const active = activeProcesses(plan, members)
        const standbys = standbyProcesses(plan, members)
        const takers = new Set(members.filter((each) => each.takesStandbys).map((each) => each.processId))
        for (const { id } of tasks.filter(({ isStateful }) => isStateful)) {
          const others = [...takers].filter((process) => process !== active.get(id)).length
          const wanted = Math.min(settings.standbyReplicas, others)
          const copies = standbys.get(id)?.length ?? 0
          if (plan.isFinal) expect(copies).toBe(wanted)
          else expect(copies).toBeGreaterThanOrEqual(wanted)
        }
      }),
    )
  })

  test('a member that knows no standby tasks gets none', () => {
    fc.assert(
      fc.property(anyCluster, ({ tasks, members, settings }) => {
        const plan = planAssignment(tasks, members, settings)
        for (const { memberId, takesStandbys } of members)
          if (!takesStandbys) expect(plan.members.get(memberId)?.standbyTasks).toEqual([])
      }),
    )
  })

  test('no plan spreads copies more evenly, and none as even makes fewer new ones', () => {
    const small = clusters({ maxTasks: 5, maxMembers: 4, maxThreads: 1, areClaimsDisputed: false })
    fc.assert(
      fc.property(small, ({ tasks, members, settings: { standbyReplicas } }) => {
        // All stores are cold, so that no other copies are kept beside.
        const cold = members.map((each) => ({ ...each, ownedTasks: [], storeLags: new Map() }))
        const plan = planAssignment(tasks, cold, { standbyReplicas, acceptableLag, maxWarmups: 0 })
        const active = activeProcesses(plan, cold)
        const takers = cold.filter(({ takesStandbys }) => takesStandbys)
        const choices = tasks
          .filter(({ isStateful }) => isStateful)
          .map(({ id }) => {
            const others = takers.filter(({ processId }) => processId !== active.get(id))
            const wanted = Math.min(standbyReplicas, others.length)
            return subsets(others.length)
              .filter((subset) => subset.length === wanted)
              .map((subset) => subset.map((index) => ({ id, at: others[index]?.memberId ?? '' })))
          })
        const unevenness = (at: readonly string[]): number =>
          takers.reduce((sum, { memberId }) => sum + at.filter((one) => one === memberId).length ** 2, 0)
        const newCopies = (copies: readonly { id: string; at: string }[]): number =>
          copies.filter(
            ({ id, at }) => !cold.some((each) => each.memberId === at && each.standbyTasks.includes(id)),
          ).length
        let best: [number, number] = [Number.POSITIVE_INFINITY, 0]
        for (const copies of combinations(choices)) {
          const rank: [number, number] = [unevenness(copies.map(({ at }) => at)), newCopies(copies)]
          if (rank[0] < best[0] || (rank[0] === best[0] && rank[1] < best[1])) best = rank
        }
        const copies = takers.flatMap(({ memberId }) =>
          (plan.members.get(memberId)?.standbyTasks ?? []).map((id) => ({ id, at: memberId })),
        )
        expect([unevenness(copies.map(({ at }) => at)), newCopies(copies)]).toEqual(best)
      }),
    )
  })

  test('a warm copy is kept until the one that replaces it is warm', () => {
    const tasks = tasksOf([6])
    const has = (active: readonly string[], standby: readonly string[]) => ({
      ownedTasks: active,
      standbyTasks: standby,
      storeLags: new Map(standby.map((task) => [task, 5])),
    })
    const before = [
      member('a', has(['0_0', '0_1'], ['0_2', '0_3', '0_5'])),
      member('b', has(['0_2', '0_3'], ['0_0', '0_1', '0_4'])),
      member('c', has(['0_4', '0_5'], [])),
    ]
    const first = planAssignment(tasks, before, oneCopy)
    expect(first.isFinal).toBe(false)
    const awaited = first.members.get('c')?.awaitedTasks ?? []
    expect(awaited).toHaveLength(2)
    for (const { memberId, standbyTasks } of before)
      expect(first.members.get(memberId)?.standbyTasks).toEqual(expect.arrayContaining([...standbyTasks]))
    const meanwhile = holding(before, first)
    expect(planAssignment(tasks, meanwhile, oneCopy)).toEqual(first)
    const warm = meanwhile.map((each) =>
      each.memberId === 'c' ? { ...each, storeLags: new Map(awaited.map((task) => [task, 0])) } : each,
    )
    const second = planAssignment(tasks, warm, oneCopy)
    expect(second.isFinal).toBe(true)
    expect([...second.members.values()].map(({ standbyTasks }) => standbyTasks.length)).toEqual([2, 2, 2])
  })

  test('when an owner dies, the warm standby takes over', () => {
    const plan = planAssignment(
      tasksOf([1]),
      [member('a'), member('b', { standbyTasks: ['0_0'], storeLags: new Map([['0_0', 7]]) }), member('c')],
      oneCopy,
    )
    expect(plan.members.get('b')?.activeTasks).toEqual(['0_0'])
    expect(plan.isFinal).toBe(true)
  })

  test('of two copies the warm one stays', () => {
    const owner = member('a', { ownedTasks: ['0_0'] })
    for (const warm of ['b', 'c']) {
      const copies = ['b', 'c'].map((id) =>
        member(id, { standbyTasks: ['0_0'], storeLags: new Map([['0_0', id === warm ? 3 : 999_999]]) }),
      )
      const plan = planAssignment(tasksOf([1]), [owner, ...copies], oneCopy)
      expect(plan.isFinal).toBe(true)
      expect(plan.members.get(warm)?.standbyTasks).toEqual(['0_0'])
    }
  })

  test('a standby stays with its thread, even if another has fewer active tasks', () => {
    const threads = [
      member('p-0', { processId: 'p', ownedTasks: ['0_0'], standbyTasks: ['0_1'] }),
      member('p-1', { processId: 'p' }),
    ]
    const plan = planAssignment(tasksOf([2]), [...threads, member('q', { ownedTasks: ['0_1'] })], oneCopy)
    expect(plan.members.get('p-0')).toMatchObject({ activeTasks: ['0_0'], standbyTasks: ['0_1'] })
  })

  test('a standby goes to the thread of its process that has fewer active tasks', () => {
    const threads = ['p-0', 'p-1'].map((id) => member(id, { processId: 'p' }))
    const other = member('q', { ownedTasks: ['0_1'] })
    const plan = planAssignment(tasksOf([2]), [...threads, other], oneCopy)
    for (const { memberId } of threads) {
      const { activeTasks = [], standbyTasks = [] } = plan.members.get(memberId) ?? {}
      expect(activeTasks.length + standbyTasks.length).toBe(1)
    }
  })
})

function subsets(count: number): number[][] {
  return Array.from({ length: 2 ** count }, (_, bits) =>
    Array.from({ length: count }, (__, index) => index).filter((index) => (bits >> index) & 1),
  )
}

function combinations<T>(choices: readonly T[][][]): T[][] {
  return choices.reduce<T[][]>(
    (all, next) => all.flatMap((one) => next.map((more) => [...one, ...more])),
    [[]],
  )
}
