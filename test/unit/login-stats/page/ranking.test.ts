import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../src/login-stats/http/api-schemas.ts'
import {
  hasAllRows,
  leastCount,
  loginsOf,
  loginsOfAll,
  ranking,
  topCount,
} from '../../../../src/login-stats/page/ranking.js'
import { row } from '../../../support/page-rows.ts'

/** The rows of a dimension as the server orders and cuts them. */
function served(rows: readonly Row[], number: (row: Row) => number, limit = 10) {
  const ordered = rows.toSorted((a, b) => number(b) - number(a) || (a.key < b.key ? -1 : 1))
  return {
    key_count: rows.length,
    sum: rows.reduce((sum, row) => sum + number(row), 0),
    top: ordered.slice(0, limit),
    least: ordered.toReversed().slice(0, limit),
  }
}

const someRows = fc
  .array(fc.record({ count: fc.nat(50), recent: fc.nat(20) }), { maxLength: 40 })
  .map((counts) =>
    counts.map(({ count, recent }, index) => row('locale', `v${index}`, count, { '5m': recent })),
  )

describe('the logins of all rows of a dimension', () => {
  test('are their sum, in the window that is shown', () => {
    fc.assert(
      fc.property(someRows, fc.constantFrom(null, '5m'), (rows, window) => {
        const sum = rows.reduce((all, each) => all + loginsOf(each, window), 0)
        const ofWindow = served(rows, (each) => loginsOf(each, window))
        expect(loginsOfAll(ofWindow, window, true)).toBe(sum)
        // Of all time alone the rows are known: what they have in the window can be told where they are all of them.
        const ofAllTime = served(rows, ({ count }) => count)
        if (window !== null) expect(loginsOfAll(ofAllTime, window, false)).toBe(rows.length > 20 ? null : sum)
      }),
    )
  })
})

describe('a ranking', () => {
  test('shows the top, tells how many it leaves out, and ends with the least', () => {
    const rows = Array.from({ length: 30 }, (_, index) => row('locale', `v${index}`, 1_000 - index))
    const { top, hiddenCount, least } = ranking(
      served(rows, ({ count }) => count),
      null,
    )
    expect(top.map(({ value }) => value)).toEqual(Array.from({ length: topCount }, (_, index) => `v${index}`))
    expect(hiddenCount).toBe(30 - topCount - leastCount)
    expect(least.map(({ value }) => value)).toEqual(['v27', 'v28', 'v29'])
  })

  test('of few rows shows each once, in the order of the window', () => {
    const rows = [row('device_type', 'web', 9, { '5m': 1 }), row('device_type', 'iOS', 5, { '5m': 4 })]
    const known = served(rows, ({ count }) => count)
    expect(hasAllRows(known)).toBe(true)
    expect(ranking(known, '5m')).toMatchObject({
      top: [{ value: 'iOS' }, { value: 'web' }],
      hiddenCount: 0,
      least: [],
    })
  })

  test('has each row once, in descending order, and counts all of them', () => {
    fc.assert(
      fc.property(someRows, fc.constantFrom(null, '5m'), (rows, window) => {
        const { top, hiddenCount, least } = ranking(
          served(rows, (each) => loginsOf(each, window)),
          window,
        )
        const shown = [...top, ...least]
        expect(new Set(shown.map(({ key }) => key)).size).toBe(shown.length)
        expect(shown.length + hiddenCount).toBe(rows.length)
        const numbers = shown.map((each) => loginsOf(each, window))
        expect(numbers).toEqual(numbers.toSorted((a, b) => b - a))
        const all = rows.map((each) => loginsOf(each, window)).toSorted((a, b) => b - a)
        expect(numbers.slice(0, top.length)).toEqual(all.slice(0, top.length))
        if (least.length > 0) expect(numbers.slice(-least.length)).toEqual(all.slice(-least.length))
      }),
    )
  })

  test('in the order of another window than it was asked in, is right where all rows are known', () => {
    fc.assert(
      fc.property(someRows, (rows) => {
        const known = served(rows, ({ count }) => count)
        fc.pre(hasAllRows(known))
        const { top } = ranking(known, '5m')
        const all = rows.map((each) => loginsOf(each, '5m')).toSorted((a, b) => b - a)
        expect(top.map((each) => loginsOf(each, '5m'))).toEqual(all.slice(0, topCount))
      }),
    )
  })
})

test('a row without the window has no logins in it', () => {
  expect(loginsOf(row('locale', 'RU', 5), '7d')).toBe(0)
})
