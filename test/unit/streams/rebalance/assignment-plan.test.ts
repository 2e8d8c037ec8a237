import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planAssignment } from '../../../../src/streams/rebalance/assignment-plan.ts'

const clusters = fc
  .record({
    subtopologies: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }),
    memberCount: fc.integer({ min: 1, max: 7 }),
  })
  .chain(({ subtopologies, memberCount }) => {
    const tasks = subtopologies.flatMap((count, id) => Array.from({ length: count }, (_, p) => `${id}_${p}`))
    const members = fc.tuple(
      ...Array.from({ length: memberCount }, (_, index) =>
        fc.record({
          memberId: fc.constant(`member-${index}`),
          ownedTasks: fc.subarray([...tasks, '9_9']),
          storedTasks: fc.subarray([...tasks, '8_0']),
        }),
      ),
    )
    return fc.record({ tasks: fc.constant(tasks), members })
  })

describe('planAssignment', () => {
  test('gives every task to exactly one member', () => {
    fc.assert(
      fc.property(clusters, ({ tasks, members }) => {
        const plan = planAssignment(tasks, members)
        expect([...plan.values()].flat().toSorted()).toEqual(tasks.toSorted())
        expect([...plan.keys()].toSorted()).toEqual(members.map(({ memberId }) => memberId).toSorted())
      }),
    )
  })

  test('gives any two members numbers of tasks that differ by at most one', () => {
    fc.assert(
      fc.property(clusters, ({ tasks, members }) => {
        const counts = [...planAssignment(tasks, members).values()].map((mine) => mine.length)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('does not depend on the order of members or tasks', () => {
    fc.assert(
      fc.property(clusters, ({ tasks, members }) => {
        const plan = planAssignment(tasks, members)
        const mirrored = planAssignment(tasks.toReversed(), members.toReversed())
        for (const [member, mine] of plan) expect(mirrored.get(member)).toEqual(mine)
      }),
    )
  })

  test('changes nothing when the same members come again with what they were given', () => {
    fc.assert(
      fc.property(clusters, ({ tasks, members }) => {
        const plan = planAssignment(tasks, members)
        const again = planAssignment(
          tasks,
          members.map((member) => ({ ...member, ownedTasks: plan.get(member.memberId) ?? [] })),
        )
        for (const [member, mine] of plan) expect(again.get(member)).toEqual(mine)
      }),
    )
  })

  test('moves no more tasks to a newcomer than balance asks for', () => {
    const tasks = ['0_0', '0_1', '0_2', '0_3', '1_0', '1_1', '1_2', '1_3']
    const alone = { memberId: 'a', ownedTasks: tasks, storedTasks: tasks }
    const plan = planAssignment(tasks, [alone, { memberId: 'b', ownedTasks: [], storedTasks: [] }])
    expect(plan.get('a')).toHaveLength(4)
    expect(plan.get('b')).toHaveLength(4)
    // Both stages are spread.
    expect(plan.get('b')?.filter((task) => task.startsWith('1_'))).toHaveLength(2)
  })

  test('gives a task back to the member that has its store', () => {
    const tasks = ['1_0', '1_1']
    const plan = planAssignment(tasks, [
      { memberId: 'a', ownedTasks: [], storedTasks: ['1_1'] },
      { memberId: 'b', ownedTasks: [], storedTasks: ['1_0'] },
    ])
    expect(plan.get('a')).toEqual(['1_1'])
    expect(plan.get('b')).toEqual(['1_0'])
  })
})
