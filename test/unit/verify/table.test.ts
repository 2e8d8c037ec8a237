import { describe, expect, it } from 'vitest'
import { Changelog } from '../../../src/verify/changelog.ts'
import { Differences } from '../../../src/verify/differences.ts'
import { field, Ledger } from '../../../src/verify/ledger.ts'
import { readLogin } from '../../../src/verify/login.ts'
import { readRowKey } from '../../../src/verify/row-key.ts'
import { Table } from '../../../src/verify/table.ts'
import { entryRecord, recordOf } from './changelog-records.ts'

const rules = { dimensions: [], maxClockSkewMs: 0, windows: [{ name: 'w', durationMs: 1000 }], panes: 10 }
const row = {
  dimension: 'total',
  value: 'total',
  rolling: { w: 1 },
  first_seen: '',
  last_seen: '',
  as_of: '',
}

/** A table of one partition whose key `total` has these counts in the changelog and in its rows, before and after the mark. */
function tableOf(given: { counter: number | null; before: (number | null)[]; after: (number | null)[] }) {
  const differences = new Differences()
  const ledger = new Ledger({ windowCount: 1, partitionCount: 1 })
  const table = new Table(ledger, rules, differences)
  let offset = 0
  const add = (count: number | null) =>
    table.add(
      recordOf({
        offset: offset++,
        key: 'total',
        value: count === null ? null : JSON.stringify({ ...row, count }),
      }),
      0,
    )
  for (const count of given.before) add(count)
  const changelog = new Changelog(ledger)
  if (given.counter !== null) changelog.add(entryRecord('total', { count: given.counter }, 0), 0)
  changelog.finish(rules)
  table.mark()
  for (const count of given.after) add(count)
  const index = ledger.find('total')
  return {
    kept: ledger.get(index, field.rowPlace) === 0 ? null : ledger.get(index, field.rowCount),
    place: ledger.get(index, field.rowPlace) - 1,
    differences,
  }
}

describe('Table', () => {
  it.each([
    ['at rest the last row', { counter: 2, before: [1, 2], after: [] }, 2],
    ['the row that came before the mark', { counter: 2, before: [1, 2], after: [3, 4] }, 2],
    ['a row that came after the mark', { counter: 3, before: [1, 2], after: [3, 4] }, 3],
    ['the last row where none goes with the counter', { counter: 9, before: [1, 2], after: [3, 4] }, 4],
    ['the row before the mark where there is no counter', { counter: null, before: [1], after: [2] }, 1],
    ['no row of a key that is new since the mark', { counter: null, before: [], after: [2] }, null],
    ['no row behind a tombstone', { counter: 2, before: [2], after: [null] }, null],
    ['a row behind a tombstone', { counter: 1, before: [5], after: [null, 1] }, 1],
  ])('keeps of a key %s', (_, given, expected) => {
    const { kept, differences } = tableOf(given)
    expect(kept).toBe(expected)
    expect(differences.count).toBe(0)
  })

  it('keeps the later one of two rows that go with the counter: its rolling counts have decayed', () => {
    expect(tableOf({ counter: 2, before: [1, 2], after: [2, 3] })).toMatchObject({ kept: 2, place: 2 })
  })

  it.each(['{"user_id":"somebody"', '"somebody"', 'null', ''])(
    'of what is no row tells the size alone: %s',
    (value) => {
      const ledger = new Ledger({ windowCount: 1, partitionCount: 1 })
      const table = new Table(ledger, rules, new Differences())
      table.add(recordOf({ offset: 0, key: 'total', value }), 0)
      expect(table.oddities.get(ledger.find('total'))).toEqual([
        { what: 'row', expected: 'a row', found: `none in ${value.length} bytes` },
      ])
    },
  )

  it('notices a count that falls', () => {
    const { differences } = tableOf({ counter: 1, before: [2, 1], after: [] })
    expect(differences.first).toMatchObject([
      { what: 'count falls', expected: 2, found: 1, records: [{ partition: 0, offset: 1 }] },
    ])
  })
})

describe('readRowKey', () => {
  it.each([
    ['a%b:c+d', ''],
    ['%2B', '%253A'],
    ['RU', 'android'],
    ['+', '::'],
  ])('gives the dimension and value of a key back: %s and %s', (locale, device) => {
    const dimensions = [
      { name: 'locale', fields: ['locale'] },
      { name: 'locale+device', fields: ['locale', 'device'] },
    ]
    const value = Buffer.from(JSON.stringify({ user_id: 'u', timestamp: 1e9, locale, device }))
    const login = readLogin({ value, timestamp: 1e12 }, { dimensions, maxClockSkewMs: 0 })
    expect(login?.rows).toHaveLength(3)
    for (const { key, dimension, value } of login?.rows ?? [])
      expect(readRowKey(key, dimensions)).toEqual({ dimension, value })
  })

  it('knows no dimension that is not set', () => {
    expect(readRowKey('locale:RU', [])).toBeNull()
  })
})
