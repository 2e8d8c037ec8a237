import { describe, expect, it } from 'vitest'
import {
  type ChangelogPartition,
  emptyChangelogPartition,
  foldChangelog,
} from '../../../src/verify/changelog.ts'
import { compare } from '../../../src/verify/compare.ts'
import { DeadLetters } from '../../../src/verify/dead-letters.ts'
import { partitionOf } from '../../../src/verify/partitioner.ts'
import type { Recounted } from '../../../src/verify/recount.ts'
import { Table, type TableRow } from '../../../src/verify/table.ts'

const asOf = 100_000
const rules = {
  dimensions: [],
  maxClockSkewMs: 0,
  windows: [{ name: 'w', durationMs: 1000 }],
  panes: 10,
}

/** A key with 3 logins, 2 of them in the window; changelog and table say so too, unless they are told otherwise. */
function parts(change: {
  recounted?: Partial<Recounted> | null
  counted?: number
  rows?: (TableRow | null)[]
  partition?: number
  caughtUp?: boolean
}) {
  const key = 'locale:RU'
  const partition = partitionOf(Buffer.from(key), 2)
  const changelog: ChangelogPartition[] = [emptyChangelogPartition(), emptyChangelogPartition()]
  for (const one of changelog) one.streamTime = asOf
  changelog[change.partition ?? partition]!.counters.set(key, {
    count: change.counted ?? 3,
    firstSeen: 50_000,
    lastSeen: asOf,
    panes: [[[1000, 2]]],
  })
  const table = new Table()
  for (const row of change.rows ?? [goodRow])
    table.add(
      {
        offset: 0,
        timestamp: 0,
        key: Buffer.from(key),
        headers: [],
        value: row && Buffer.from(JSON.stringify(row)),
      },
      partition,
    )
  const good: Recounted = {
    ...{ dimension: 'locale', value: 'RU', count: 3, firstSeen: 50_000, lastSeen: asOf },
    rolling: [{ w: 2 }, { w: 2 }],
  }
  const keys = new Map(change.recounted === null ? [] : [[key, { ...good, ...change.recounted }]])
  const recount = { keys, valid: 3, invalid: 0 }
  return { recount, changelog, table, rules, caughtUp: change.caughtUp ?? true }
}

const goodRow: TableRow = {
  ...{ dimension: 'locale', value: 'RU', count: 3, rolling: { w: 2 } },
  first_seen: '1970-01-01T00:00:50.000Z',
  last_seen: '1970-01-01T00:01:40.000Z',
  as_of: '1970-01-01T00:01:40.000Z',
}

function differences(change: Parameters<typeof parts>[0]): string[] {
  return compare(parts(change)).differences.map(
    ({ where, what, expected, found }) => `${where} ${what}: ${expected} ${found}`,
  )
}

describe('compare', () => {
  it('finds nothing where all three agree', () => {
    expect(compare(parts({}))).toEqual({ differences: [], explainable: 0, keys: 1, staleRows: 0 })
  })

  it.each([
    ['a count too high', { recounted: { count: 2 } }, ['changelog count: 2 3']],
    ['a count too low', { recounted: { count: 4 } }, ['changelog count: 4 3']],
    ['a key that the input does not have', { recounted: null }, ['changelog count: 0 3']],
    ['a row that is missing', { rows: [] }, ['table count: 3 0']],
    ['a row that was deleted', { rows: [goodRow, null] }, ['table count: 3 0']],
    ['an older row', { rows: [{ ...goodRow, count: 2 }] }, ['table count: 3 2']],
    ['a wrong value', { rows: [{ ...goodRow, value: 'R' }] }, ['table value: RU R']],
    ['a wrong rolling count', { rows: [{ ...goodRow, rolling: { w: 1 } }] }, ['table rolling.w: 2 1']],
    ['a missing window', { rows: [{ ...goodRow, rolling: {} }] }, ['table rolling.w: 2 null']],
    ['a window too many', { rows: [{ ...goodRow, rolling: { w: 2, x: 0 } }] }, ['table rolling.x: null 0']],
    [
      'a wrong time',
      { rows: [{ ...goodRow, first_seen: '1970-01-01T00:00:49.000Z' }] },
      ['table first_seen: 1970-01-01T00:00:50.000Z 1970-01-01T00:00:49.000Z'],
    ],
    [
      'rolling counts of the changelog',
      { recounted: { rolling: [{ w: 3 }, { w: 2 }] }, caughtUp: false },
      ['changelog rolling.w: 3 2'],
    ],
  ])('finds %s', (_, change, expected) => {
    expect(differences(change as Parameters<typeof parts>[0])).toEqual(expected)
  })

  it('finds a key in a partition of the changelog that is not its own', () => {
    const own = partitionOf(Buffer.from('locale:RU'), 2)
    expect(differences({ partition: 1 - own })[0]).toBe(`changelog partition: ${own} ${1 - own}`)
  })

  it('tells apart what records gone from the start of the input could explain', () => {
    expect(compare(parts({ recounted: { count: 2 } })).explainable).toBe(1)
    expect(compare(parts({ recounted: { count: 4 } })).explainable).toBe(0)
    expect(compare(parts({ recounted: { firstSeen: 60_000 } })).explainable).toBe(2)
    expect(compare(parts({ recounted: { firstSeen: 40_000 } })).explainable).toBe(0)
    expect(compare(parts({ rows: [] })).explainable).toBe(0)
  })

  it('counts a row as stale that is right as of its own time, but not as of the final stream time', () => {
    const stale = { recounted: { rolling: [{ w: 2 }, { w: 5 }] }, rows: [{ ...goodRow, rolling: { w: 5 } }] }
    expect(compare(parts(stale))).toMatchObject({ differences: [], staleRows: 1 })
    expect(compare(parts({ ...stale, caughtUp: false }))).toMatchObject({ staleRows: 0 })
  })
})

describe('Table', () => {
  const add = (table: Table, count: number) =>
    table.add(
      {
        ...{ offset: 0, timestamp: 0, key: Buffer.from('k'), headers: [] },
        value: Buffer.from(JSON.stringify({ ...goodRow, count })),
      },
      0,
    )

  it('keeps the rows since the mark, and the one before it', () => {
    const table = new Table()
    for (const count of [1, 2]) add(table, count)
    table.mark()
    for (const count of [3, 4]) add(table, count)
    expect(table.rows.get('k')?.map(({ count }) => count)).toEqual([2, 3, 4])
    expect(table.fallen).toEqual([])
  })

  it('notices a count that falls', () => {
    const table = new Table()
    for (const count of [2, 1]) add(table, count)
    expect(table.fallen).toMatchObject([{ what: 'count falls', expected: 2, found: 1 }])
  })
})

describe('DeadLetters', () => {
  const record = (offset: number, value: string) => ({
    ...{ offset, timestamp: 0, key: null, value: Buffer.from(value), headers: [] },
  })
  const letter = (offset: number, value: string, more: [string, Buffer][] = []) => ({
    ...record(0, value),
    headers: [
      ['source.offset', Buffer.from('forged by the sender')] as const,
      ['source.topic', Buffer.from('in')] as const,
      ['source.partition', Buffer.from('0')] as const,
      ['source.offset', Buffer.from(`${offset}`)] as const,
      ...more,
    ],
  })

  it('are each there once, unchanged, up to the committed offsets', () => {
    const letters = new DeadLetters('in', [0], [10])
    letters.add(letter(3, 'x'), 0)
    letters.add(letter(12, 'y'), 0)
    letters.addInvalid(record(3, 'x'), 0)
    letters.addInvalid(record(11, 'z'), 0)
    letters.finish()
    expect(letters).toMatchObject({ expected: 1, found: 1, differences: [] })
  })

  it.each([
    ['is missing', [], 'times', 0],
    [
      'is there twice',
      [
        [letter(3, 'x'), 0],
        [letter(3, 'x'), 0],
      ],
      'times',
      2,
    ],
    ['is in another partition', [[letter(3, 'x'), 1]], 'partition', 1],
  ] as const)('are wrong where one %s', (_, given, what, found) => {
    const letters = new DeadLetters('in', [0], [10])
    for (const [one, partition] of given) letters.add(one, partition)
    letters.addInvalid(record(3, 'x'), 0)
    letters.finish()
    expect(letters.differences).toMatchObject([{ key: '0:3', what, found }])
  })

  it('are wrong where the bytes have changed, unless the record says that it was cut', () => {
    for (const [more, expected] of [
      [[], 1],
      [[['error.truncated', Buffer.from('9')]], 0],
    ] as const) {
      const letters = new DeadLetters('in', [0], [10])
      letters.add(letter(3, 'x', [...more] as [string, Buffer][]), 0)
      letters.addInvalid(record(3, 'xy'), 0)
      expect(letters.differences).toHaveLength(expected)
    }
  })

  it('are wrong for a record that is valid, but not for one that is gone', () => {
    const letters = new DeadLetters('in', [4], [10])
    letters.add(letter(3, 'x'), 0)
    letters.add(letter(5, 'x'), 0)
    letters.finish()
    expect(letters.differences).toMatchObject([{ key: '0:5', expected: 0, found: 1 }])
  })
})

describe('foldChangelog', () => {
  const entry = (count: number) => Buffer.from([0, 0, 0, 0, 0, 0, 0, 9, 1, count, 0, 0, 0])
  const record = (key: Buffer, value: Buffer | null) => ({ offset: 7, timestamp: 0, key, value, headers: [] })
  const data = (name: string) => Buffer.concat([Buffer.from([1]), Buffer.from(name)])

  it('keeps the last entry of a key and the last meta record, and deletes', () => {
    const state = emptyChangelogPartition()
    const meta = {
      version: 1,
      fingerprint: { A: '1' },
      counted: { in: { 2: 9 }, other: { 2: 1 } },
      streamTime: 5,
    }
    for (const [key, value] of [
      [data('a'), entry(1)],
      [data('b'), entry(1)],
      [data('a'), entry(2)],
      [data('b'), null],
      [Buffer.from([0]), Buffer.from(JSON.stringify(meta))],
    ] as const)
      foldChangelog(state, record(key, value), 'in')
    expect([...state.counters].map(([key, { count }]) => [key, count])).toEqual([['a', 2]])
    expect(state).toMatchObject({ counted: new Map([[2, 9]]), streamTime: 5, fingerprint: { A: '1' } })
  })

  it.each([
    ['an unknown kind', Buffer.from([2]), Buffer.from('{}'), 'neither an entry nor a meta record'],
    ['a newer meta record', Buffer.from([0]), Buffer.from('{"version":2}'), 'FORMAT_TOO_NEW'],
    ['no counter', data('a'), Buffer.from('short'), 'FORMAT_TOO_NEW'],
  ])('refuses %s', (_, key, value, message) => {
    expect(() => foldChangelog(emptyChangelogPartition(), record(key, value), 'in')).toThrow(message)
  })
})
