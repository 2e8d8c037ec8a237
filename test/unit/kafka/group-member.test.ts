import { describe, expect, it } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { encodeAssignment, encodeSubscription } from '../../../src/kafka/consumer-protocol.ts'
import { ConsumerGroupMember } from '../../../src/kafka/group-member.ts'
import type { Apis } from '../../../src/kafka/wire/wire.ts'
import type { GroupOptions, MemberAssignment } from '../../../src/ports/kafka.ts'
import { codeOf, scripted } from './scripted-wire.ts'

const mine: MemberAssignment = { partitions: [{ topic: 't', partition: 1 }], userData: Buffer.from('u') }
const unreachable = new CodedError('KAFKA_UNREACHABLE', { operation: 'wire' })
const lost = new CodedError('OUTCOME_UNKNOWN', { operation: 'wire' })
const metadata = encodeSubscription({ topics: ['t'], userData: Buffer.from('told') })

function joinAnswer(overrides: Partial<Apis['JoinGroup']['answer']> = {}): Apis['JoinGroup']['answer'] {
  return {
    errorCode: 0,
    generationId: 1,
    protocolName: 'p',
    leaderId: 'other',
    memberId: 'm-1',
    members: [],
    ...overrides,
  }
}

const synced = { errorCode: 0, assignment: encodeAssignment(mine) }

function member(overrides: Partial<GroupOptions> = {}) {
  const { wire, clock, context } = scripted()
  wire.script('JoinGroup', joinAnswer())
  wire.script('SyncGroup', synced)
  wire.script('Heartbeat', { errorCode: 0 })
  wire.script('LeaveGroup', { errorCode: 0, members: [] })
  const options: GroupOptions = {
    groupId: 'g',
    instanceId: null,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 30_000,
    protocol: 'p',
    topics: ['t'],
    userData: async () => Buffer.from('told'),
    assign: async () => new Map([['m-1', mine]]),
    ...overrides,
  }
  return { wire, clock, member: new ConsumerGroupMember(context, options) }
}

describe('a group member', () => {
  it('comes back with the member id that the broker requires', async () => {
    const { wire, member: it } = member()
    wire.script('JoinGroup', joinAnswer({ errorCode: 79, memberId: 'm-9' }), joinAnswer({ memberId: 'm-9' }))
    expect(await it.join()).toEqual(mine)
    expect(wire.requests('JoinGroup').map(({ memberId }) => memberId)).toEqual(['', 'm-9'])
  })

  it('plans only where it is the leader itself, not where its former life was', async () => {
    const { wire, member: follower } = member({ instanceId: 'i' })
    wire.script('JoinGroup', joinAnswer({ leaderId: 'former', memberId: 'm-1' }))
    await follower.join()
    expect(wire.requests('SyncGroup')[0]?.assignments).toEqual([])
    let asked: unknown
    const { wire: leaderWire, member: leader } = member({
      assign: async (members) => {
        asked = members
        return new Map([['m-1', mine]])
      },
    })
    const members = [{ memberId: 'm-1', instanceId: null, metadata }]
    leaderWire.script('JoinGroup', joinAnswer({ leaderId: 'm-1', members }))
    await leader.join()
    expect(asked).toEqual([{ memberId: 'm-1', instanceId: null, userData: Buffer.from('told') }])
    expect(leaderWire.requests('SyncGroup')[0]?.assignments).toEqual([
      { memberId: 'm-1', assignment: encodeAssignment(mine) },
    ])
  })

  it('names its instance in every request', async () => {
    const { wire, clock, member: it } = member({ instanceId: 'i' })
    await it.join()
    await clock.pass(2000)
    await it.close(true)
    for (const api of ['JoinGroup', 'SyncGroup', 'Heartbeat'] as const) {
      expect(wire.requests(api)[0]).toMatchObject({ instanceId: 'i' })
    }
    expect(wire.requests('LeaveGroup')).toEqual([
      { groupId: 'g', members: [{ memberId: 'm-1', instanceId: 'i' }] },
    ])
  })

  it('joins again until it succeeds, whatever passes', async () => {
    const { wire, member: it } = member()
    const failed = (errorCode: number) => joinAnswer({ errorCode, memberId: '' })
    wire.script('JoinGroup', failed(15), failed(16), failed(27), unreachable, lost, joinAnswer())
    wire.script('SyncGroup', { errorCode: 27, assignment: Buffer.alloc(0) }, lost, synced)
    expect(await it.join()).toEqual(mine)
    expect(it.rejoinReason()).toBeNull()
  })

  it('asks again after 15 s for a join that may be held back, once the group knows it; not before', async () => {
    const { wire, member: it } = member()
    wire.script('JoinGroup', joinAnswer({ memberId: 'm-9' }), lost, joinAnswer({ memberId: 'm-9' }))
    await it.join()
    await it.join()
    const waited = (api: 'JoinGroup' | 'SyncGroup') => wire.sent(api).map(({ options }) => options.timeoutMs)
    expect(waited('JoinGroup')).toEqual([40_000, 15_000, 15_000])
    expect(waited('SyncGroup')).toEqual([15_000, 15_000])
    expect(wire.requests('JoinGroup').map(({ memberId }) => memberId)).toEqual(['', 'm-9', 'm-9'])
  })

  it('drops a member id that the group does not know', async () => {
    const { wire, member: it } = member()
    await it.join()
    wire.script('JoinGroup', joinAnswer({ errorCode: 25 }), joinAnswer({ memberId: 'm-2' }))
    await it.join()
    expect(wire.requests('JoinGroup').map(({ memberId }) => memberId)).toEqual(['', 'm-1', ''])
    expect(it.identity().memberId).toBe('m-2')
  })

  it.each([
    [23, 'GROUP_INCONSISTENT'],
    [30, 'AUTHORIZATION_FAILED'],
    [26, 'PROTOCOL_ERROR'],
  ])('gives up where JoinGroup answers %i', async (errorCode, code) => {
    const { wire, member: it } = member()
    wire.script('JoinGroup', joinAnswer({ errorCode }))
    expect(await codeOf(() => it.join())).toBe(code)
  })

  it('sends a heartbeat every 100 ms, also while the leader plans', async () => {
    const {
      wire,
      clock,
      member: it,
    } = member({
      assign: async () => {
        await clock.pass(10_000)
        return new Map()
      },
    })
    wire.script('JoinGroup', joinAnswer({ leaderId: 'm-1' }))
    await it.join()
    expect(wire.sent('Heartbeat').length).toBeGreaterThanOrEqual(90)
    expect(wire.sent('Heartbeat').length).toBeLessThanOrEqual(100)
    expect(new Set(wire.sent('Heartbeat').map(({ options }) => options.lane))).not.toContain(
      wire.sent('JoinGroup')[0]?.options.lane,
    )
  })

  it.each([
    [27, 'm-1'],
    [22, 'm-1'],
    [25, ''],
  ])('rejoins where a heartbeat is answered with %i', async (errorCode, nextMemberId) => {
    const { wire, clock, member: it } = member()
    await it.join()
    let told = 0
    it.onRejoinNeeded(() => {
      told++
    })
    wire.script('Heartbeat', { errorCode })
    await clock.pass(6000)
    expect(told).toBe(1)
    expect(it.rejoinReason()).not.toBeNull()
    wire.script('Heartbeat', { errorCode: 0 })
    await it.join()
    expect(wire.requests('JoinGroup').map(({ memberId }) => memberId)).toEqual(['', nextMemberId])
    expect(it.rejoinReason()).toBeNull()
  })

  it('takes its place back from a join that nobody answers for', async () => {
    const { wire, clock, member: it } = member({ instanceId: 'i' })
    await it.join()
    wire.script('Heartbeat', { errorCode: 82 })
    await clock.pass(2000)
    expect(it.rejoinReason()).toBe('fenced')
    expect(it.wasLost()).toBe(true)
    expect(await codeOf(() => it.confirm())).toBe('TASK_MIGRATED')
    wire.script('JoinGroup', joinAnswer({ memberId: 'm-2' }))
    wire.script('Heartbeat', { errorCode: 0 })
    await it.join()
    expect(wire.requests('JoinGroup').map(({ memberId }) => memberId)).toEqual(['', ''])
    expect(it.identity().memberId).toBe('m-2')
    await it.close(true)
    expect(wire.sent('LeaveGroup')).toHaveLength(1)
  })

  it('stops for good where another process takes its place again', async () => {
    const { wire, member: it } = member({ instanceId: 'i' })
    wire.script('JoinGroup', joinAnswer({ errorCode: 82 }), joinAnswer({ memberId: 'm-2' }))
    await it.join()
    wire.script('SyncGroup', { errorCode: 82, assignment: Buffer.alloc(0) })
    expect(await codeOf(() => it.join())).toBe('MEMBER_FENCED')
    await it.close(true)
    expect(wire.sent('LeaveGroup')).toHaveLength(0)
  })

  it('takes its place back another time after a long while', async () => {
    const { wire, clock, member: it } = member({ instanceId: 'i' })
    wire.script('JoinGroup', joinAnswer({ errorCode: 82 }), joinAnswer({ memberId: 'm-2' }))
    await it.join()
    await clock.pass(60_000)
    wire.script('JoinGroup', joinAnswer({ errorCode: 82 }), joinAnswer({ memberId: 'm-3' }))
    await it.join()
    expect(it.identity().memberId).toBe('m-3')
  })

  it('gives itself up when no heartbeat has succeeded for the session time-out', async () => {
    const { wire, clock, member: it } = member()
    await it.join()
    for (const answer of [lost, unreachable]) wire.script('Heartbeat', answer)
    await clock.pass(9000)
    expect(it.rejoinReason()).toBeNull()
    await clock.pass(1500)
    expect(it.rejoinReason()).toBe('session timed out')
  })

  it('knows at once after a stand-still that its session may be over, before any timer runs', async () => {
    const { clock, member: it } = member()
    await it.join()
    await clock.pass(5000)
    expect(it.rejoinReason()).toBeNull()
    clock.stall(10_001)
    expect(it.rejoinReason()).toBe('session timed out')
  })

  it('says after a stand-still that its partitions may be lost, whatever it is asked first', async () => {
    const { clock, member: it } = member()
    await it.join()
    expect(it.wasLost()).toBe(false)
    clock.stall(10_001)
    expect(it.wasLost()).toBe(true)
  })

  it('counts its session from when a heartbeat was sent, not from when its answer was read', async () => {
    const { wire, clock, member: it } = member()
    await it.join()
    wire.on('Heartbeat', () => {
      clock.stall(9000)
      return { errorCode: 0 }
    })
    await clock.pass(1700)
    expect(it.rejoinReason()).toBeNull()
    clock.stall(1500)
    expect(it.rejoinReason()).toBe('session timed out')
  })

  it('is confirmed only by an answer to a heartbeat sent now', async () => {
    const { wire, member: it } = member()
    await it.join()
    const before = wire.sent('Heartbeat').length
    wire.script('Heartbeat', { errorCode: 16 }, lost, unreachable, { errorCode: 0 })
    await it.confirm()
    expect(wire.sent('Heartbeat')).toHaveLength(before + 4)
  })

  it('is confirmed during a rebalance, and remembers the rebalance', async () => {
    const { wire, member: it } = member()
    await it.join()
    wire.script('Heartbeat', { errorCode: 27 })
    await it.confirm()
    expect(it.rejoinReason()).toBe('rebalance')
  })

  it.each([
    ['illegal generation', { errorCode: 22 }],
    ['unknown member', { errorCode: 25 }],
    ['fenced', { errorCode: 82 }],
    ['no answer for the session time-out', lost],
    ['no coordinator for the session time-out', { errorCode: 15 }],
  ])('is not confirmed: %s', async (_, answer) => {
    const { wire, member: it } = member()
    await it.join()
    wire.script('Heartbeat', answer)
    expect(await codeOf(() => it.confirm())).toBe('TASK_MIGRATED')
    expect(it.rejoinReason()).not.toBeNull()
  })

  it('takes no answer for a confirmation that it was too slow to read', async () => {
    const { wire, clock, member: it } = member()
    await it.join()
    wire.on('Heartbeat', () => {
      clock.stall(11_000)
      return { errorCode: 0 }
    })
    expect(await codeOf(() => it.confirm())).toBe('TASK_MIGRATED')
  })

  it('leaves nothing running after close', async () => {
    const { wire, clock, member: it } = member()
    await it.join()
    await it.close(false)
    const calls = wire.calls.length
    await clock.pass(60_000)
    expect(wire.calls).toHaveLength(calls)
  })

  it('is not brought to life by the answer to a join that was given up', async () => {
    const { wire, clock, member: it } = member()
    const held = Promise.withResolvers<Apis['JoinGroup']['answer']>()
    wire.on('JoinGroup', () => held.promise)
    const joining = it.join()
    await clock.pass(1)
    it.cancelJoin()
    expect(await joining).toBeNull()
    held.resolve(joinAnswer())
    await clock.pass(60_000)
    expect(wire.sent('SyncGroup')).toHaveLength(0)
    expect(wire.sent('Heartbeat')).toHaveLength(0)
    expect(it.rejoinReason()).not.toBeNull()
  })
})
