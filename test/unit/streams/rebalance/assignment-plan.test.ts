import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planAssignment } from '../../../../src/streams/rebalance/assignment-plan.ts'
import {
  defaultPlanSettings,
  type Plan,
  type PlanMember,
  type PlanSettings,
  type PlanTask,
} from '../../../../src/streams/rebalance/plan-types.ts'
import {
  acceptableLag,
  activeProcesses,
  type Cluster,
  clusters,
  holding,
  isEven,
  member,
  standbyProcesses,
  tasksOf,
} from './clusters.ts'

const anyCluster = clusters({ maxTasks: 16, maxMembers: 7, maxThreads: 3 })
const atOnce = { ...defaultPlanSettings, maxWarmups: 0 }

function planOf({ tasks, members, settings }: Cluster, changed: Partial<PlanSettings> = {}): Plan {
  return planAssignment(tasks, members, { ...settings, ...changed })
}

function processIds(members: readonly PlanMember[]): string[] {
  return [...new Set(members.map(({ processId }) => processId))]
}

function loadsOfProcesses(plan: Plan, { tasks, members }: Cluster) {
  const places = activeProcesses(plan, members)
  return processIds(members).map((id) => ({
    threads: members.filter(({ processId }) => processId === id).length,
    tasks: tasks.filter((task) => places.get(task.id) === id),
  }))
}

function loadsOfMembers(plan: Plan, { tasks }: Cluster) {
  return [...plan.members.values()].map(({ activeTasks }) => ({
    threads: 1,
    tasks: tasks.filter(({ id }) => activeTasks.includes(id)),
  }))
}

/** What a process has of a store, from the members' words. */
function holdings(members: readonly PlanMember[], processId: string, task: string) {
  const threads = members.filter((thread) => thread.processId === processId)
  const lags = threads.flatMap(({ storeLags }) => storeLags.get(task) ?? [])
  const owns = threads.some(({ ownedTasks }) => ownedTasks.includes(task))
  const isStandby = threads.some(({ standbyTasks }) => standbyTasks.includes(task))
  const lag = owns ? 0 : Math.min(Number.POSITIVE_INFINITY, ...lags)
  return {
    owns,
    isStandby,
    lag,
    isWarm: lag <= acceptableLag,
    hasStore: owns || isStandby || lags.length > 0,
  }
}

/** 0: owner; 1: warm; 2: is warmed up; 3 to 7: so many tenfolds behind; 8: who knows how far; 9: nothing. */
function coldness(members: readonly PlanMember[], processId: string, { id, isStateful }: PlanTask): number {
  const { owns, isStandby, lag, isWarm, hasStore } = holdings(members, processId, id)
  if (!isStateful || owns) return 0
  if (isWarm) return 1
  if (isStandby) return 2
  if (!hasStore) return 9
  if (lag === Number.POSITIVE_INFINITY) return 8
  return [1000, 10_000, 100_000, 1_000_000].filter((bound) => lag > bound).length + 3
}

/** How many tasks leave their owners' processes, and how cold it is where they go. */
function effort(
  members: readonly PlanMember[],
  tasks: readonly PlanTask[],
  placeOf: (task: string) => string,
) {
  let moved = 0
  let cold = 0
  for (const task of tasks) {
    const owners = processIds(members).filter((id) => holdings(members, id, task.id).owns)
    if (owners.length > 0 && !owners.includes(placeOf(task.id))) moved += 1
    cold += coldness(members, placeOf(task.id), task)
  }
  return { moved, cold }
}

describe('active tasks', () => {
  test('every task is active at exactly one member', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        const plan = planOf(cluster)
        expect([...plan.members.values()].flatMap(({ activeTasks }) => activeTasks).toSorted()).toEqual(
          cluster.tasks.map(({ id }) => id).toSorted(),
        )
        expect([...plan.members.keys()].toSorted()).toEqual(
          cluster.members.map(({ memberId }) => memberId).toSorted(),
        )
      }),
    )
  })

  test('a final plan is even: over processes and over members, in each subtopology, for each weight and in all', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        for (const plan of [planOf(cluster), planOf(cluster, { maxWarmups: 0 })]) {
          if (!plan.isFinal && cluster.settings.maxWarmups > 0) continue
          expect(isEven(cluster.tasks, loadsOfProcesses(plan, cluster))).toBe(true)
          expect(isEven(cluster.tasks, loadsOfMembers(plan, cluster))).toBe(true)
        }
      }),
    )
  })

  test('the numbers of tasks of any two members differ by at most one', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        const counts = loadsOfMembers(planOf(cluster, { maxWarmups: 0 }), cluster).map(
          ({ tasks }) => tasks.length,
        )
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('no even plan moves fewer tasks, and none that moves as few has less to restore', () => {
    fc.assert(
      fc.property(clusters({ maxTasks: 6, maxMembers: 4, maxThreads: 2 }), (cluster) => {
        const { tasks, members } = cluster
        const processes = processIds(members)
        const threads = processes.map((id) => members.filter(({ processId }) => processId === id).length)
        const best = { moved: Number.POSITIVE_INFINITY, cold: Number.POSITIVE_INFINITY }
        for (let number = 0; number < processes.length ** tasks.length; number += 1) {
          const places = tasks.map(
            (_, task) => Math.floor(number / processes.length ** task) % processes.length,
          )
          const loads = threads.map((count, process) => ({
            threads: count,
            tasks: tasks.filter((_, task) => places[task] === process),
          }))
          if (!isEven(tasks, loads)) continue
          const byTask = new Map(tasks.map(({ id }, task) => [id, processes[places[task] ?? 0] ?? '']))
          const { moved, cold } = effort(members, tasks, (task) => byTask.get(task) ?? '')
          if (moved < best.moved || (moved === best.moved && cold < best.cold))
            Object.assign(best, { moved, cold })
        }
        const places = activeProcesses(planOf(cluster, { maxWarmups: 0 }), members)
        expect(effort(members, tasks, (task) => places.get(task) ?? '')).toEqual(best)
      }),
      { numRuns: 200 },
    )
  })

  test('a task stays with its thread if that is even within the process', () => {
    const tasks = tasksOf([2, 2])
    const threads = [
      member('p-0', { processId: 'p', ownedTasks: ['0_1', '1_1'] }),
      member('p-1', { processId: 'p', ownedTasks: ['0_0'] }),
    ]
    const plan = planAssignment(tasks, threads, atOnce)
    expect(plan.members.get('p-0')?.activeTasks).toEqual(['0_1', '1_1'])
    expect(plan.members.get('p-1')?.activeTasks).toEqual(['0_0', '1_0'])
  })

  test('the thread that has the store open as a standby takes it over', () => {
    const threads = ['p-0', 'p-1', 'p-2'].map((id) => member(id, { processId: 'p' }))
    for (const thread of threads) {
      const members = threads.map((each) =>
        each === thread ? { ...each, standbyTasks: ['0_0'], storeLags: new Map([['0_0', 3]]) } : each,
      )
      const plan = planAssignment(tasksOf([1]), members, atOnce)
      expect(plan.members.get(thread.memberId)?.activeTasks).toEqual(['0_0'])
    }
  })

  test('the plan depends neither on the order of members nor on that of tasks', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        const plan = planOf(cluster)
        const mirrored = planAssignment(
          cluster.tasks.toReversed(),
          cluster.members.toReversed(),
          cluster.settings,
        )
        expect(mirrored.isFinal).toBe(plan.isFinal)
        for (const [memberId, mine] of plan.members) expect(mirrored.members.get(memberId)).toEqual(mine)
      }),
    )
  })

  test('a final plan is not changed when the same members come again with what they were given', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        const plan = planOf(cluster)
        if (!plan.isFinal) return
        expect(planOf({ ...cluster, members: holding(cluster.members, plan) })).toEqual(plan)
      }),
    )
  })

  test('a newcomer gets no more tasks than evenness asks for', () => {
    const tasks = tasksOf([4, 4])
    const alone = member('a', { ownedTasks: tasks.map(({ id }) => id) })
    const plan = planAssignment(tasks, [alone, member('b')], atOnce)
    expect(plan.members.get('a')?.activeTasks).toHaveLength(4)
    expect(plan.members.get('b')?.activeTasks).toHaveLength(4)
    // Both stages are spread.
    expect(plan.members.get('b')?.activeTasks.filter((task) => task.startsWith('1_'))).toHaveLength(2)
  })

  test('a task goes back to the process that has its store, the warm one before the stale one', () => {
    const tasks = tasksOf([2])
    const stores = (lags: Record<string, number>) => ({ storeLags: new Map(Object.entries(lags)) })
    for (const plan of [
      planAssignment(tasks, [member('a', stores({ '0_1': Infinity })), member('b')], atOnce),
      planAssignment(
        tasks,
        [
          member('a', stores({ '0_0': 900_000, '0_1': 20 })),
          member('b', stores({ '0_0': 20, '0_1': 900_000 })),
        ],
        defaultPlanSettings,
      ),
    ]) {
      expect(plan.members.get('a')?.activeTasks).toEqual(['0_1'])
      expect(plan.members.get('b')?.activeTasks).toEqual(['0_0'])
    }
  })

  test('a group without members, and one without tasks, have plans', () => {
    expect(planAssignment(tasksOf([2]), [], defaultPlanSettings)).toEqual({
      members: new Map(),
      isFinal: true,
    })
    expect(planAssignment([], [member('a')], defaultPlanSettings).members.get('a')).toEqual({
      activeTasks: [],
      standbyTasks: [],
      awaitedTasks: [],
    })
  })
})

describe('warm-ups', () => {
  test('a stateful task waits exactly where its aim is cold while its owner or another process is warm', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        fc.pre(cluster.settings.maxWarmups > 0)
        const { members } = cluster
        const places = activeProcesses(planOf(cluster), members)
        const aims = activeProcesses(planOf(cluster, { maxWarmups: 0 }), members)
        for (const { id, isStateful } of cluster.tasks) {
          const aim = aims.get(id) ?? ''
          const processes = processIds(members).map((process) => ({
            process,
            ...holdings(members, process, id),
          }))
          const owners = processes.filter(({ owns }) => owns)
          const keepers = owners.length > 0 ? owners : processes.filter(({ isWarm }) => isWarm)
          const canWarmUp = members.every(
            ({ processId, takesStandbys }) => processId !== aim || takesStandbys,
          )
          const waits = isStateful && canWarmUp && !holdings(members, aim, id).isWarm && keepers.length > 0
          if (waits) expect(keepers.map(({ process }) => process)).toContain(places.get(id))
          else expect(places.get(id)).toBe(aim)
        }
      }),
    )
  })

  test('the aims of waiting tasks are warmed up, at most maxWarmups at a time', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        const settings = { ...cluster.settings, standbyReplicas: 0 }
        const plan = planOf({ ...cluster, settings })
        const places = activeProcesses(plan, cluster.members)
        const aims = activeProcesses(planOf({ ...cluster, settings }, { maxWarmups: 0 }), cluster.members)
        const waiting = cluster.tasks.filter(({ id }) => places.get(id) !== aims.get(id))
        const standbys = standbyProcesses(plan, cluster.members)
        expect(standbys.size).toBe(Math.min(settings.maxWarmups, waiting.length))
        for (const [task, processes] of standbys) expect(processes).toEqual([aims.get(task)])
        expect(plan.isFinal).toBe(waiting.length === 0)
      }),
    )
  })

  test('where anything waits, a member is told what to report, and only there', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        const plan = planOf(cluster)
        const awaited = [...plan.members.values()].flatMap(({ awaitedTasks }) => awaitedTasks)
        expect(awaited.length > 0).toBe(!plan.isFinal)
        for (const { standbyTasks, awaitedTasks } of plan.members.values())
          expect(standbyTasks).toEqual(expect.arrayContaining([...awaitedTasks]))
      }),
    )
  })

  test('a task moves to the newcomer only when its store there is warm', () => {
    const tasks = tasksOf([2, 2])
    const owner = member('a', { ownedTasks: ['0_0', '0_1', '1_0', '1_1'] })
    const first = planAssignment(tasks, [owner, member('b')], defaultPlanSettings)
    expect(first.isFinal).toBe(false)
    expect(first.members.get('a')?.activeTasks).toEqual(expect.arrayContaining(['1_0', '1_1']))
    expect(first.members.get('b')?.activeTasks).toHaveLength(1)
    const [warmedUp = ''] = first.members.get('b')?.awaitedTasks ?? []
    const behind = (lag: number): PlanMember[] =>
      holding([owner, member('b', { storeLags: new Map([[warmedUp, lag]]) })], first)
    expect(planAssignment(tasks, behind(10_001), defaultPlanSettings)).toEqual(first)
    const second = planAssignment(tasks, behind(10_000), defaultPlanSettings)
    expect(second.isFinal).toBe(true)
    expect(second.members.get('b')?.activeTasks).toContain(warmedUp)
    expect(second.members.get('b')?.awaitedTasks).toEqual([])
  })

  test('a waiting task stays with its owner, whoever else is warm and has less to do', () => {
    const tasks = tasksOf([0, 3])
    const owner = member('a', { ownedTasks: tasks.map(({ id }) => id) })
    const warm = new Map(tasks.map(({ id }) => [id, 5]))
    const plan = planAssignment(
      tasks,
      [owner, member('b'), member('c', { storeLags: warm })],
      defaultPlanSettings,
    )
    expect(plan.members.get('a')?.activeTasks).toHaveLength(2)
    expect(plan.members.get('b')?.awaitedTasks).toHaveLength(1)
    expect(plan.members.get('c')?.activeTasks).toHaveLength(1)
  })

  test('no more than maxWarmups stores are warmed up at once, and what was begun goes on', () => {
    const tasks = tasksOf([12])
    const owner = member('a', { ownedTasks: tasks.map(({ id }) => id) })
    for (const maxWarmups of [1, 2, 3]) {
      const settings = { ...defaultPlanSettings, maxWarmups }
      const plan = planAssignment(tasks, [owner, member('b'), member('c')], settings)
      const awaited = [...plan.members.values()].flatMap(({ awaitedTasks }) => awaitedTasks)
      expect(awaited).toHaveLength(maxWarmups)
    }
    const begun = member('c', { standbyTasks: ['0_7'] })
    const plan = planAssignment(tasks, [owner, member('b'), begun], { ...defaultPlanSettings, maxWarmups: 1 })
    expect(plan.members.get('c')?.awaitedTasks).toEqual(['0_7'])
  })

  test('with all members cold nothing waits', () => {
    const plan = planAssignment(tasksOf([0, 4]), [member('a'), member('b')], defaultPlanSettings)
    expect(plan.isFinal).toBe(true)
  })

  test('a member that knows no standby tasks gets its share at once', () => {
    const owner = member('a', { ownedTasks: ['0_0', '0_1'] })
    const plan = planAssignment(
      tasksOf([2]),
      [owner, member('b', { takesStandbys: false })],
      defaultPlanSettings,
    )
    expect(plan.isFinal).toBe(true)
    expect(plan.members.get('b')?.activeTasks).toHaveLength(1)
  })
})
