import { expect, test } from 'vitest'
import { planAssignment } from '../../../../src/streams/rebalance/assignment-plan.ts'
import { defaultPlanSettings } from '../../../../src/streams/rebalance/plan-types.ts'
import { holding, member, tasksOf } from './clusters.ts'

/** The least CPU time of some tries, in ms: what else the machine does shall not count. */
function leastCpuMs(tries: number, work: () => void): number {
  let least = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const before = process.threadCpuUsage()
    work()
    const { user, system } = process.threadCpuUsage(before)
    least = Math.min(least, (user + system) / 1000)
  }
  return least
}

test.each([
  { tasks: 128, members: 16, limitMs: 30 },
  { tasks: 1000, members: 100, limitMs: 200 },
])(
  '$tasks tasks and $members members are planned in less than $limitMs ms',
  ({ tasks, members, limitMs }) => {
    const all = tasksOf([tasks / 2, tasks / 2], [1, 2])
    const settings = { ...defaultPlanSettings, standbyReplicas: 1 }
    const fresh = Array.from({ length: members }, (_, index) => member(`m-${index}`))
    const before = holding(fresh, planAssignment(all, fresh, settings))
    // A tenth has gone, and as many others have come.
    const changed = before.map((each, index) => (index % 10 === 0 ? member(`n-${index}`) : each))
    for (const group of [fresh, before, changed])
      expect(leastCpuMs(3, () => planAssignment(all, group, settings))).toBeLessThan(limitMs)
  },
  // Beside others that leave it little of the machine.
  60_000,
)
