import { describe, expect, test } from 'vitest'
import {
  decodeAssignmentMetadata,
  decodeMemberMetadata,
  encodeAssignmentMetadata,
  encodeMemberMetadata,
} from '../../../../src/streams/rebalance/member-metadata.ts'

/** As written by programs of version 1, byte for byte. */
const memberOfVersion1 = Buffer.from(
  '{"version":1,"fingerprint":{"DIMENSIONS":"locale"},"ownedTasks":["0_0","1_0"],"storedTasks":["1_0","1_1"],"partitions":{"user-login":2}}',
)
const assignmentOfVersion1 = Buffer.from('{"version":1,"partitions":{"user-login":2}}')
const refusalOfVersion1 = Buffer.from('{"version":1,"groupFingerprint":{"DIMENSIONS":"locale"}}')

const mine = {
  fingerprint: { DIMENSIONS: 'locale' },
  ownedTasks: ['0_0'],
  storedTasks: ['1_0', '1_1'],
  partitions: { 'user-login': 2 },
  processId: 'slot-7',
  standbyTasks: ['1_1'],
  storeLags: { '1_1': 120 },
  endpoint: 'http://10.0.0.7:8080',
}

const told = {
  partitions: { 'user-login': 2 },
  standbyTasks: ['1_1', '1_2'],
  awaitedTasks: ['1_2'],
  acceptableLag: 10_000,
}

describe('what a member says', () => {
  test('is read as it was written', () => {
    expect(decodeMemberMetadata(encodeMemberMetadata(mine))).toEqual({ version: 3, ...mine })
  })

  test('is another one for the broker where the member asks for a plan, and the same for the leader', () => {
    const asking = encodeMemberMetadata(mine, 1)
    expect(asking.equals(encodeMemberMetadata(mine, 0))).toBe(false)
    expect(asking.equals(encodeMemberMetadata(mine, 2))).toBe(false)
    expect(decodeMemberMetadata(asking)).toMatchObject({ version: 3, ...mine })
  })

  test('is understood from a member of version 1', () => {
    expect(decodeMemberMetadata(memberOfVersion1)).toEqual({
      version: 1,
      fingerprint: { DIMENSIONS: 'locale' },
      ownedTasks: ['0_0', '1_0'],
      storedTasks: ['1_0', '1_1'],
      partitions: { 'user-login': 2 },
      processId: null,
      standbyTasks: [],
      storeLags: {},
      endpoint: null,
    })
  })

  test('is understood from a member of version 2', () => {
    const { endpoint: _, ...known } = mine
    const said = Buffer.from(JSON.stringify({ version: 2, ...known }))
    expect(decodeMemberMetadata(said)).toEqual({ version: 2, ...known, endpoint: null })
  })

  test('has all that a leader of version 1 reads, under the same names', () => {
    const { version: _, ...known } = JSON.parse(memberOfVersion1.toString()) as Record<string, unknown>
    const said = JSON.parse(encodeMemberMetadata(mine).toString()) as Record<string, unknown>
    for (const [name, value] of Object.entries(known)) expect(typeof said[name]).toBe(typeof value)
    expect(said).toMatchObject({ ownedTasks: ['0_0'], storedTasks: ['1_0', '1_1'] })
  })

  test('may have fields that nobody knows yet', () => {
    const later = Buffer.from(JSON.stringify({ ...mine, version: 4, minVersion: 2, rack: 'a' }))
    expect(decodeMemberMetadata(later)).toMatchObject({ ...mine, version: 4 })
  })

  test.each([
    ['is no JSON', 'range'],
    ['is null', 'null'],
    ['is a number', '7'],
    ['is of another program', '{"version":1,"host":"a:80"}'],
    ['must not be read before version 4', JSON.stringify({ ...mine, version: 4, minVersion: 4 })],
  ])('is refused where it %s', (_, text) => {
    expect(() => decodeMemberMetadata(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'GROUP_INCONSISTENT' }),
    )
  })
})

describe('what the leader tells a member', () => {
  test('is read as it was written', () => {
    expect(decodeAssignmentMetadata(encodeAssignmentMetadata(2, told))).toEqual({ version: 2, ...told })
  })

  test('is in the form of version 1 for a member of version 1, byte for byte', () => {
    expect(encodeAssignmentMetadata(1, told)).toEqual(assignmentOfVersion1)
    const { partitions: _, ...refused } = { ...told, groupFingerprint: { DIMENSIONS: 'locale' } }
    expect(encodeAssignmentMetadata(1, refused)).toEqual(refusalOfVersion1)
  })

  test('is in the form of this version for a member of a later one', () => {
    expect(decodeAssignmentMetadata(encodeAssignmentMetadata(5, told))).toEqual({ version: 3, ...told })
  })

  test('is understood from a leader of version 1, which knows no standby tasks', () => {
    expect(decodeAssignmentMetadata(assignmentOfVersion1)).toEqual({
      version: 1,
      partitions: { 'user-login': 2 },
      standbyTasks: [],
      awaitedTasks: [],
      acceptableLag: null,
    })
    expect(decodeAssignmentMetadata(refusalOfVersion1).groupFingerprint).toEqual({ DIMENSIONS: 'locale' })
  })

  test('is nothing where nothing was said', () => {
    expect(decodeAssignmentMetadata(Buffer.alloc(0))).toMatchObject({ standbyTasks: [], awaitedTasks: [] })
  })

  test('is refused where it must not be read before version 4', () => {
    expect(() => decodeAssignmentMetadata(Buffer.from('{"version":4,"minVersion":4}'))).toThrow(
      expect.objectContaining({ code: 'GROUP_INCONSISTENT' }),
    )
  })
})
