import { describe, expect, test } from 'vitest'
import type { MemberAssignment } from '../../../../src/ports/kafka.ts'
import { type AssignorSettings, assignTasks, tasksOf } from '../../../../src/streams/rebalance/assignor.ts'
import {
  decodeAssignmentMetadata,
  encodeMemberMetadata,
  type MemberMetadata,
} from '../../../../src/streams/rebalance/member-metadata.ts'
import { defaultPlanSettings } from '../../../../src/streams/rebalance/plan-types.ts'
import { TopicCatalog } from '../../../../src/streams/runtime/topic-catalog.ts'
import { TopologyBuilder } from '../../../../src/streams/topology/topology.ts'

const builder = new TopologyBuilder('app')
builder.subtopology().source('in', 'input')
builder.subtopology().source('partials', 'repartition', 'repartition').store('counts')
const topology = builder.build()

function catalogOf(partitionCount: number, names = ['input', 'repartition']): TopicCatalog {
  return new TopicCatalog(
    new Map(names.map((name) => [name, { name, topicId: null, partitionCount }])),
    new Map(),
  )
}

const fingerprint = { DIMENSIONS: 'locale' }
const catalog = catalogOf(2)

function said(memberId: string, metadata: Partial<MemberMetadata> = {}) {
  const userData = encodeMemberMetadata({
    fingerprint,
    ownedTasks: [],
    storedTasks: [],
    partitions: { input: 2, repartition: 2 },
    processId: memberId,
    standbyTasks: [],
    storeLags: {},
    endpoint: null,
    ...metadata,
  })
  return { memberId, instanceId: null, userData }
}

function saidInVersion1(memberId: string, ownedTasks: string[], storedTasks: string[]) {
  const text = `{"version":1,"fingerprint":{"DIMENSIONS":"locale"},"ownedTasks":${JSON.stringify(ownedTasks)},"storedTasks":${JSON.stringify(storedTasks)},"partitions":{"input":2,"repartition":2}}`
  return { memberId, instanceId: null, userData: Buffer.from(text) }
}

function assign(members: readonly ReturnType<typeof said>[], settings: Partial<AssignorSettings> = {}) {
  return assignTasks(topology, catalog, members, { ...defaultPlanSettings, ...settings })
}

/** Active tasks, and what the leader says beside them. */
function read(assignments: ReadonlyMap<string, MemberAssignment>, memberId: string) {
  const { partitions, userData } = assignments.get(memberId) ?? { partitions: [], userData: Buffer.alloc(0) }
  return { active: tasksOf(topology, partitions), ...decodeAssignmentMetadata(userData) }
}

describe('assignTasks', () => {
  test('gives active tasks as partitions, and standby tasks beside them', () => {
    const assignments = assign([said('a'), said('b')], { standbyReplicas: 1 })
    const [a, b] = [read(assignments, 'a'), read(assignments, 'b')]
    expect([...a.active, ...b.active].toSorted()).toEqual(['0_0', '0_1', '1_0', '1_1'])
    expect(a.active).toHaveLength(2)
    expect(a.standbyTasks).toEqual(b.active.filter((task) => task.startsWith('1_')))
    expect(b.standbyTasks).toEqual(a.active.filter((task) => task.startsWith('1_')))
    expect(a).toMatchObject({ version: 3, acceptableLag: 10_000, partitions: { input: 2, repartition: 2 } })
  })

  test('has a newcomer warm up the store of a task before it moves, and gives it the others at once', () => {
    const all = ['0_0', '0_1', '1_0', '1_1']
    const owner = said('a', { ownedTasks: all, storedTasks: ['1_0', '1_1'] })
    const first = assign([owner, said('b')])
    expect(read(first, 'b').active).toHaveLength(1)
    const { awaitedTasks, standbyTasks } = read(first, 'b')
    expect(awaitedTasks).toEqual(standbyTasks)
    expect(awaitedTasks).toHaveLength(1)
    const [moving = ''] = awaitedTasks
    const second = assign([
      said('a', { ownedTasks: read(first, 'a').active, storedTasks: ['1_0', '1_1'] }),
      said('b', {
        ownedTasks: read(first, 'b').active,
        standbyTasks,
        storedTasks: standbyTasks,
        storeLags: { [moving]: 17 },
      }),
    ])
    expect(read(second, 'b').active).toContain(moving)
    expect(read(second, 'b').awaitedTasks).toEqual([])
  })

  test('takes a store whose lag was not said for one of unknown lag', () => {
    const stale = said('b', { storedTasks: ['1_0'], storeLags: { '1_0': 99_999_999 } })
    const unknown = said('a', { storedTasks: ['1_0'] })
    expect(read(assign([unknown, stale]), 'b').active).toContain('1_0')
    expect(read(assign([unknown, said('b')]), 'a').active).toContain('1_0')
    expect(read(assign([said('a'), said('b', { storedTasks: ['1_0'] })]), 'b').active).toContain('1_0')
  })

  test('gives threads of one process no second copy of a store', () => {
    const threads = ['p-0', 'p-1'].map((id) => said(id, { processId: 'p' }))
    const assignments = assign(threads, { standbyReplicas: 1 })
    for (const { memberId } of threads) expect(read(assignments, memberId).standbyTasks).toEqual([])
  })

  test('spreads by the weights of subtopologies', () => {
    const four = new TopologyBuilder('app')
    const topics = ['a', 'b', 'c', 'd']
    for (const topic of topics) four.subtopology().source('in', topic)
    for (const heavy of [
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 3],
    ]) {
      const settings = { ...defaultPlanSettings, weights: new Map(heavy.map((id) => [id, 5])) }
      const members = [said('m'), said('n')]
      for (const { partitions } of assignTasks(
        four.build(),
        catalogOf(1, topics),
        members,
        settings,
      ).values()) {
        expect(partitions).toHaveLength(2)
        expect(partitions.filter(({ topic }) => heavy.includes(topics.indexOf(topic)))).toHaveLength(1)
      }
    }
  })

  test('tells a member of other settings than those who hold tasks, whoever comes first', () => {
    const holder = said('z', { ownedTasks: ['0_0'] })
    const stranger = said('a', { fingerprint: { DIMENSIONS: 'country' } })
    for (const members of [
      [holder, stranger],
      [stranger, holder],
    ]) {
      const assignments = assign(members)
      expect(read(assignments, 'a')).toMatchObject({ active: [], groupFingerprint: fingerprint })
      expect(read(assignments, 'z').active).toHaveLength(4)
    }
  })
})

test('where nobody holds tasks, the group has the same settings in whatever order its members come', () => {
  const members = [said('a', { fingerprint: { DIMENSIONS: 'country' } }), said('b')]
  const assignments = assign(members)
  const mirrored = assign(members.toReversed())
  for (const { memberId } of members) expect(read(mirrored, memberId)).toEqual(read(assignments, memberId))
})

describe('a group of two versions', () => {
  test('a member of version 1 keeps its tasks, gets no standby tasks, and is answered in its own words', () => {
    const assignments = assign(
      [saidInVersion1('old', ['0_0', '1_1'], ['1_0', '1_1']), said('new'), said('newer')],
      {
        standbyReplicas: 1,
      },
    )
    expect(read(assignments, 'old').active).toEqual(['0_0', '1_1'])
    expect(assignments.get('old')?.userData.toString()).toBe(
      '{"version":1,"partitions":{"input":2,"repartition":2}}',
    )
    // Its task has its copy in one of the others.
    expect([...read(assignments, 'new').standbyTasks, ...read(assignments, 'newer').standbyTasks]).toContain(
      '1_1',
    )
  })

  test('a member of version 1 gets its share at once, since it can warm up nothing', () => {
    const owner = said('new', { ownedTasks: ['0_0', '0_1', '1_0', '1_1'], storedTasks: ['1_0', '1_1'] })
    const assignments = assign([owner, saidInVersion1('old', [], [])])
    expect(read(assignments, 'old').active).toHaveLength(2)
    expect(read(assignments, 'new').awaitedTasks).toEqual([])
  })

  test('the store of a member of version 1 counts as one of unknown lag', () => {
    const owner = said('new', { ownedTasks: ['0_0', '0_1', '1_0', '1_1'], storedTasks: ['1_0', '1_1'] })
    for (const store of ['1_0', '1_1'])
      expect(read(assign([owner, saidInVersion1('old', [], [store])]), 'old').active).toContain(store)
    const warm = said('warm', { storedTasks: ['1_0'], storeLags: { '1_0': 5 } })
    const assignments = assign([saidInVersion1('old', [], ['1_0']), warm])
    expect(read(assignments, 'warm').active).toContain('1_0')
  })

  test('a member of version 1 with other settings is refused in its own words', () => {
    const stranger = said('a', { fingerprint: { DIMENSIONS: 'country' }, ownedTasks: ['0_0'] })
    const assignments = assign([stranger, saidInVersion1('old', [], [])])
    expect(assignments.get('old')).toEqual({
      partitions: [],
      userData: Buffer.from('{"version":1,"groupFingerprint":{"DIMENSIONS":"country"}}'),
    })
  })
})
