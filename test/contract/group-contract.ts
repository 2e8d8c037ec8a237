import { expect, it } from 'vitest'
import type { GroupMember, GroupMemberInfo, MemberAssignment } from '../../src/ports/kafka.ts'
import { assignmentOf, codeOf, type PortScenario } from './port-scenario.ts'

const p = (partition: number) => ({ topic: 'contract', partition })

export function groupContract(scenario: () => PortScenario): void {
  it('gives a member what the leader has planned for it', async () => {
    const groupId = scenario().port.uniqueName('group')
    let seen: readonly GroupMemberInfo[] = []
    const plan = { partitions: [p(0), p(2)], userData: Buffer.from('plan') }
    const member = scenario().member({
      groupId,
      userData: async () => Buffer.from('mine'),
      assign: async (members) => {
        seen = members
        return new Map(members.map(({ memberId }) => [memberId, plan]))
      },
    })
    expect(member.rejoinReason()).not.toBeNull()
    expect(await codeOf(() => member.identity())).toBe('INTERNAL')
    expect(await member.join()).toEqual(plan)
    const { memberId, generationId } = member.identity()
    expect(seen).toEqual([{ memberId, instanceId: null, userData: Buffer.from('mine') }])
    expect(generationId).toBeGreaterThan(0)
    expect(member.rejoinReason()).toBeNull()
    await member.confirm()
    const description = await scenario().client.admin.describeGroup(groupId)
    expect(description).toMatchObject({
      state: 'Stable',
      members: [{ memberId, userData: Buffer.from('mine'), assignment: plan }],
    })
  })

  it('tells a member to rejoin when another comes, and waits for it', async () => {
    const groupId = scenario().port.uniqueName('group')
    const [first, second] = [splitting(scenario(), groupId), splitting(scenario(), groupId)]
    await first.join()
    let told = 0
    first.onRejoinNeeded(() => {
      told++
    })
    let isSecondIn = false
    const secondJoin = second.join().finally(() => {
      isSecondIn = true
    })
    await scenario().until(() => first.rejoinReason() !== null, 'the first is told')
    expect(told).toBe(1)
    // The group still knows the first one, which may commit before it goes on.
    await first.confirm()
    expect(isSecondIn).toBe(false)
    const assignments = await Promise.all([first.join(), secondJoin])
    expect(first.identity().generationId).toBe(second.identity().generationId)
    expect(partitionsOf(assignments)).toEqual([0, 1])
    expect([first.rejoinReason(), second.rejoinReason()]).toEqual([null, null])
  })

  it('gives the work of a member that leaves to the others at once', async () => {
    const groupId = scenario().port.uniqueName('group')
    const [first, second] = [splitting(scenario(), groupId), splitting(scenario(), groupId)]
    await joinTogether(scenario(), first, second)
    await second.close(true)
    await scenario().until(() => first.rejoinReason() !== null, 'the first is told', 4000)
    expect(await first.join()).toEqual(assignmentOf(p(0)))
    const { members } = await scenario().client.admin.describeGroup(groupId)
    expect(members).toHaveLength(1)
  })

  it('lets a member with an instance id come back at once, in the same generation, and fences its former life', async () => {
    const groupId = scenario().port.uniqueName('group')
    const [instanceId, otherId] = ['instance-1', 'instance-2']
    let plans = 0
    const withId = (id: string) => splitting(scenario(), groupId, { instanceId: id, onPlan: () => plans++ })
    const [former, other] = [withId(instanceId), withId(otherId)]
    const [assignment] = await joinTogether(scenario(), former, other)
    const plansBefore = plans
    const reborn = withId(instanceId)
    const { clock } = scenario().port
    const startedAt = clock.monotonic()
    expect(await reborn.join()).toEqual(assignment)
    expect(clock.monotonic() - startedAt).toBeLessThan(5000)
    expect(plans).toBe(plansBefore)
    expect(reborn.identity().generationId).toBe(former.identity().generationId)
    expect(reborn.identity().memberId).not.toBe(former.identity().memberId)
    await reborn.confirm()
    await other.confirm()
    expect(other.rejoinReason()).toBeNull()
    expect(await codeOf(() => former.confirm())).toBe('TASK_MIGRATED')
    await scenario().until(() => former.rejoinReason() !== null, 'the former life notices')
    // It takes its place back three times; when that is taken again it gives up.
    for (let times = 0; times < 3; times++) {
      expect(await former.join()).toEqual(assignment)
      await scenario().until(() => reborn.rejoinReason() !== null, 'the later life notices')
      expect(await reborn.join()).toEqual(assignment)
      await scenario().until(() => former.rejoinReason() !== null, 'the former life notices again')
    }
    expect(await codeOf(() => former.join())).toBe('MEMBER_FENCED')
    await reborn.confirm()
  })

  it('keeps the place of a member with an instance id that closes without leaving', async () => {
    const groupId = scenario().port.uniqueName('group')
    const [first, second] = ['a', 'b'].map((instanceId) =>
      splitting(scenario(), groupId, { instanceId }),
    ) as [GroupMember, GroupMember]
    await joinTogether(scenario(), first, second)
    await second.close(false)
    await scenario().port.clock.sleep(1500)
    await first.confirm()
    expect(first.rejoinReason()).toBeNull()
  })

  it('drops a member that does not rejoin in time, which finds out', async () => {
    const groupId = scenario().port.uniqueName('group')
    const [sleeper, other] = [1, 2].map(() =>
      splitting(scenario(), groupId, { rebalanceTimeoutMs: 1500 }),
    ) as [GroupMember, GroupMember]
    await sleeper.join()
    const before = sleeper.identity()
    await other.join()
    expect(other.identity().generationId).toBeGreaterThan(before.generationId)
    expect(await codeOf(() => sleeper.confirm())).toBe('TASK_MIGRATED')
    expect(sleeper.rejoinReason()).not.toBeNull()
    const assignments = await joinTogether(scenario(), other, sleeper)
    expect(partitionsOf(assignments)).toEqual([0, 1])
    expect(sleeper.identity().memberId).not.toBe(before.memberId)
  })

  it('keeps its membership by heartbeats while nobody calls it', async () => {
    const groupId = scenario().port.uniqueName('group')
    const member = scenario().member({ groupId })
    await member.join()
    await scenario().port.clock.sleep(8000)
    await member.confirm()
    expect(member.rejoinReason()).toBeNull()
  })

  it('gives a join up when it is told to', async () => {
    const groupId = scenario().port.uniqueName('group')
    const [first, second] = [splitting(scenario(), groupId), splitting(scenario(), groupId)]
    await first.join()
    const joining = second.join()
    await scenario().until(() => first.rejoinReason() !== null, 'the second waits for the first')
    second.cancelJoin()
    expect(await joining).toBeNull()
    await second.close(true)
    expect(await first.join()).toEqual(assignmentOf(p(0)))
  })

  it('refuses a group that speaks another protocol', async () => {
    const groupId = scenario().port.uniqueName('group')
    await scenario().member({ groupId }).join()
    const stranger = scenario().member({ groupId, protocol: 'another' })
    expect(await codeOf(() => stranger.join())).toBe('GROUP_INCONSISTENT')
  })

  it('rejoins on request', async () => {
    const groupId = scenario().port.uniqueName('group')
    const member = scenario().member({ groupId })
    await member.join()
    const { generationId } = member.identity()
    let told = 0
    member.onRejoinNeeded(() => {
      told++
    })
    member.requestRejoin('partitions were added')
    expect([member.rejoinReason(), told]).toEqual(['partitions were added', 1])
    await member.join()
    expect(member.identity().generationId).toBeGreaterThan(generationId)
    expect(member.rejoinReason()).toBeNull()
  })
}

/** A member whose leader gives partition i to the i-th member. */
function splitting(
  scenario: PortScenario,
  groupId: string,
  options: { instanceId?: string; rebalanceTimeoutMs?: number; onPlan?: () => void } = {},
): GroupMember {
  const { onPlan, ...rest } = options
  const assign = async (members: readonly GroupMemberInfo[]) => {
    onPlan?.()
    return new Map(members.map(({ memberId }, index) => [memberId, assignmentOf(p(index))]))
  }
  return scenario.member({ groupId, assign, ...rest }, scenario.newClient())
}

/** The first joins, then both in one rebalance. */
async function joinTogether(scenario: PortScenario, first: GroupMember, second: GroupMember) {
  await first.join()
  const joining = second.join()
  await scenario.until(() => first.rejoinReason() !== null, 'the first is told')
  const assignments = await Promise.all([first.join(), joining])
  expect(first.identity().generationId).toBe(second.identity().generationId)
  return assignments
}

function partitionsOf(assignments: readonly (MemberAssignment | null)[]): number[] {
  return assignments.flatMap((a) => a?.partitions.map(({ partition }) => partition) ?? []).sort()
}
