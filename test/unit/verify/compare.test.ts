import { describe, expect, it } from 'vitest'
import { Changelog } from '../../../src/verify/changelog.ts'
import { compare } from '../../../src/verify/compare.ts'
import { Differences } from '../../../src/verify/differences.ts'
import { field, Ledger, rolling } from '../../../src/verify/ledger.ts'
import { partitionOf } from '../../../src/verify/partitioner.ts'
import { Table, type TableRow } from '../../../src/verify/table.ts'
import { type ChangedCounter, entryRecord, metaRecord, recordOf } from './changelog-records.ts'

const asOf = 100_000
const rules = {
  dimensions: [{ name: 'locale', fields: ['locale'] }],
  maxClockSkewMs: 0,
  windows: [{ name: 'w', durationMs: 1000 }],
  panes: 10,
}
const key = 'locale:RU'
const own = partitionOf(Buffer.from(key), 2)

interface Recounted {
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
  /** As of the final stream time, and as of the row's time. */
  readonly rolling: readonly [number, number]
}

interface Change {
  recounted?: Partial<Recounted> | null
  counter?: ChangedCounter | null
  rows?: (Partial<TableRow> | string | null)[]
  /** Of the table. */
  partition?: number
  /** Of the changelog. */
  changelogPartition?: number
  caughtUp?: boolean
}

const goodRow: TableRow = {
  ...{ dimension: 'locale', value: 'RU', count: 3, rolling: { w: 2 } },
  first_seen: '1970-01-01T00:00:50.000Z',
  last_seen: '1970-01-01T00:01:40.000Z',
  as_of: '1970-01-01T00:01:40.000Z',
}

/** A key with 3 logins, 2 of them in the window; changelog and table say so too, unless they are told otherwise. */
function compared(change: Change) {
  const differences = new Differences()
  const ledger = new Ledger({ windowCount: 1, partitionCount: 2 })
  const changelog = new Changelog(ledger)
  const counter: ChangedCounter = {
    count: 3,
    firstSeen: 50_000,
    lastSeen: asOf,
    panes: [[[1000, 2]]],
    ...change.counter,
  }
  if (change.counter !== null) changelog.add(entryRecord(key, counter, 40), change.changelogPartition ?? own)
  for (const partition of [0, 1]) changelog.add(metaRecord({ streamTime: asOf }, 41), partition)
  changelog.finish(rules)
  const table = new Table(ledger, rules, differences)
  for (const [offset, row] of (change.rows ?? [goodRow]).entries()) {
    const value = typeof row === 'string' || row === null ? row : JSON.stringify(row)
    table.add(recordOf({ offset, key, value }), change.partition ?? own)
  }
  if (change.recounted !== null) {
    const good = { count: 3, firstSeen: 50_000, lastSeen: asOf, rolling: [2, 2] as const }
    const { count, firstSeen, lastSeen, rolling: sums } = { ...good, ...change.recounted }
    const index = ledger.entry(key)
    ledger.set(index, field.count, count)
    ledger.set(index, field.firstSeen, firstSeen)
    ledger.set(index, field.lastSeen, lastSeen)
    ledger.set(index, ledger.rollingAt(rolling.final, 0), sums[0])
    ledger.set(index, ledger.rollingAt(rolling.asOfRow, 0), sums[1])
  }
  const caughtUp = change.caughtUp ?? true
  return { differences, ...compare({ ledger, changelog, table, rules, caughtUp, differences }) }
}

function differences(change: Change): string[] {
  return compared(change).differences.first.map(
    ({ where, what, expected, found }) => `${where} ${what}: ${expected} ${found}`,
  )
}

describe('compare', () => {
  it('finds nothing where all three agree', () => {
    const { differences, ...counts } = compared({})
    expect(differences).toMatchObject({ count: 0, first: [] })
    expect(counts).toEqual({ keys: 1, staleRows: 0 })
  })

  it.each([
    ['a count too high', { recounted: { count: 2 } }, ['changelog count: 2 3', 'table count: 2 3']],
    ['a count too low', { recounted: { count: 4 } }, ['changelog count: 4 3', 'table count: 4 3']],
    ['a key that the input does not have', { recounted: null }, ['changelog count: 0 3', 'table count: 0 3']],
    ['a row that is missing', { rows: [] }, ['table count: 3 0']],
    ['a row that was deleted', { rows: [goodRow, null] }, ['table count: 3 0']],
    ['an older row', { rows: [{ ...goodRow, count: 2 }] }, ['table count: 3 2']],
    ['a wrong value', { rows: [{ ...goodRow, value: 'R' }] }, ['table value: RU another text (length 1)']],
    ['a wrong rolling count', { rows: [{ ...goodRow, rolling: { w: 1 } }] }, ['table rolling.w: 2 1']],
    ['a missing window', { rows: [{ ...goodRow, rolling: {} }] }, ['table rolling.w: 2 null']],
    ['a window too many', { rows: [{ ...goodRow, rolling: { w: 2, x: 0 } }] }, ['table rolling: null 0']],
    [
      'a wrong time',
      { rows: [{ ...goodRow, first_seen: '1970-01-01T00:00:49.000Z' }] },
      ['table first_seen: 1970-01-01T00:00:50.000Z 1970-01-01T00:00:49.000Z'],
    ],
    [
      'a row that is none',
      { rows: ['rubbish'] },
      ['table count: 3 null', 'table row: a row none in 7 bytes'],
    ],
    ['an entry that was deleted', { counter: null }, ['changelog count: 3 0']],
    [
      'a first login of the changelog',
      { counter: { firstSeen: 49_000 } },
      ['changelog first_seen: 1970-01-01T00:00:50.000Z 1970-01-01T00:00:49.000Z'],
    ],
    [
      'rolling counts of the changelog',
      { recounted: { rolling: [3, 2] }, caughtUp: false },
      ['changelog rolling.w: 3 2'],
    ],
  ])('finds %s', (_, change, expected) => {
    expect(differences(change as Change)).toEqual(expected)
  })

  it('finds a key in a partition of the changelog that is not its own', () => {
    expect(differences({ changelogPartition: 1 - own })[0]).toBe(`changelog partition: ${own} ${1 - own}`)
  })

  it('finds a key in a partition of the table that is not its own', () => {
    expect(differences({ partition: 1 - own })).toEqual([
      `table partition: ${own} ${1 - own}`,
      'table count: 3 0',
    ])
  })

  it('names the records that say what was found, and the tombstone of a row that is not there', () => {
    const { first } = compared({ counter: { count: 4 }, rows: [goodRow, goodRow, null] }).differences
    expect(first.map(({ where, records }) => [where, records])).toEqual([
      ['changelog', [{ partition: own, offset: 40 }]],
      ['table', [{ partition: own, offset: 2 }]],
    ])
  })

  it('tells apart what records gone from the start of the input could explain', () => {
    expect(compared({ recounted: { count: 2 } }).differences.explainable).toBe(2)
    expect(compared({ recounted: { count: 4 } }).differences.explainable).toBe(0)
    expect(compared({ recounted: { firstSeen: 60_000 } }).differences.explainable).toBe(2)
    expect(compared({ recounted: { firstSeen: 40_000 } }).differences.explainable).toBe(0)
    expect(compared({ rows: [] }).differences.explainable).toBe(0)
    // Where table and changelog disagree, it is not for what is gone.
    expect(compared({ recounted: { count: 2 }, counter: { count: 4 } }).differences.explainable).toBe(1)
  })

  it('counts a row as stale that is right as of its own time, but not as of the final stream time', () => {
    const stale = { recounted: { rolling: [2, 5] as const }, rows: [{ ...goodRow, rolling: { w: 5 } }] }
    expect(compared(stale)).toMatchObject({ differences: { count: 0 }, staleRows: 1 })
    expect(compared({ ...stale, caughtUp: false })).toMatchObject({ staleRows: 0 })
  })
})
