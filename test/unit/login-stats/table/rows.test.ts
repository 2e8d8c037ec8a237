import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { comparing, First, loginsOf, type RowOrder } from '../../../../src/login-stats/table/row-order.ts'
import { type KeyedRow, type Rows, RowsInMemory } from '../../../../src/login-stats/table/rows.ts'
import { RowsOnDisk } from '../../../../src/login-stats/table/rows-on-disk.ts'
import { levelDatabaseOpener } from '../../../../src/system/level-database.ts'

const time = '2023-09-12T01:10:04.000Z'
const keys = [
  'total',
  'locale:RU',
  'locale:DE',
  'locale:x;y',
  'locale+device_type:RU+web',
  'device_type:web',
  'loc:a',
  'é:ü',
]

function rowOf(key: string, count: number): KeyedRow {
  const [dimension = '', value = key] = key.split(':')
  return {
    key,
    dimension,
    value,
    count,
    rolling: { '1m': count % 7 },
    first_seen: time,
    last_seen: time,
    as_of: time,
  }
}

function changeOf(key: string, count: number | null) {
  const row = count === null ? null : rowOf(key, count)
  const { key: _, ...json } = row ?? { key }
  return { key, row, json: row === null ? null : Buffer.from(JSON.stringify(json)) }
}

async function contentsOf(rows: Rows, dimension: string | null): Promise<KeyedRow[]> {
  const all: KeyedRow[] = []
  for await (const chunk of rows.chunks(dimension)) all.push(...chunk)
  return all.sort((a, b) => (a.key < b.key ? -1 : 1))
}

const change = fc.tuple(fc.constantFrom(...keys), fc.option(fc.integer({ min: 1, max: 1000 }), { freq: 4 }))
const batches = fc.array(fc.array(change, { maxLength: 8 }), { maxLength: 8 })

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rows-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

describe.each([
  ['in memory', async (): Promise<Rows> => new RowsInMemory()],
  ['on disk', (): Promise<Rows> => RowsOnDisk.open(levelDatabaseOpener, directory)],
])('rows %s', (_name, open) => {
  test('are the last ones of each key, by key, by dimension and in number', async () => {
    await fc.assert(
      fc.asyncProperty(batches, async (written) => {
        const rows = await open()
        const model = new Map<string, KeyedRow>()
        try {
          for (const batch of written) {
            await rows.apply(batch.map(([key, count]) => changeOf(key, count)))
            for (const [key, count] of batch) {
              if (count === null) model.delete(key)
              else model.set(key, rowOf(key, count))
            }
          }
          const expected = [...model.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
          expect(await contentsOf(rows, null)).toEqual(expected)
          expect(rows.size).toBe(expected.length)
          for (const key of keys) expect(await rows.get(key)).toEqual(model.get(key) ?? null)
          const dimensions = new Set(expected.map(({ dimension }) => dimension))
          expect(new Set(rows.keyCounts.keys())).toEqual(dimensions)
          for (const dimension of ['total', 'locale', 'loc', 'device_type', 'é', 'none']) {
            const some = expected.filter((row) => row.dimension === dimension)
            expect(await contentsOf(rows, dimension), dimension).toEqual(some)
            expect(rows.keyCounts.get(dimension) ?? 0).toBe(some.length)
          }
          await rows.clear()
          expect(await contentsOf(rows, null)).toEqual([])
          expect([rows.size, rows.keyCounts.size]).toEqual([0, 0])
        } finally {
          await rows.close()
        }
      }),
      { numRuns: 60 },
    )
  }, 30_000)
})

const order: fc.Arbitrary<RowOrder> = fc.record({
  by: fc.constantFrom('count' as const, 'value' as const, { window: '1m' }, { window: 'none' }),
  direction: fc.constantFrom('rising' as const, 'falling' as const),
})

test('the first rows in an order are those of the whole, sorted', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 50 }), { maxLength: 300 }),
      fc.nat({ max: 40 }),
      order,
      (counts, limit, by) => {
        const rows = counts.map((count, index) => rowOf(`locale:${String(index).padStart(3, '0')}`, count))
        const first = new First(limit, comparing(by))
        for (const row of rows) first.offer(row)
        expect(first.rows).toEqual(rows.toSorted(comparing(by)).slice(0, limit))
      },
    ),
  )
})

test('a window that a row does not have has no logins, whatever its name', () => {
  const row = rowOf('locale:RU', 5)
  expect([loginsOf(row, undefined), loginsOf(row, '1m')]).toEqual([5, 5])
  const rows = [rowOf('locale:b', 3), rowOf('locale:a', 1)]
  for (const window of ['none', 'constructor', '__proto__', 'toString']) {
    expect(loginsOf(row, window), window).toBe(0)
    const ordered = rows.toSorted(comparing({ by: { window }, direction: 'falling' }))
    expect(
      ordered.map(({ key }) => key),
      window,
    ).toEqual(['locale:a', 'locale:b'])
  }
})

test('a number of rows that is no whole number from 0 on is refused by its name', () => {
  const compare = comparing({ by: 'count', direction: 'falling' })
  for (const limit of [2.5, -1, Number.NaN, Number.POSITIVE_INFINITY, undefined as unknown as number])
    expect(() => new First(limit, compare), String(limit)).toThrow(/^limit must be a whole number/)
  expect(new First(0, compare).rows).toEqual([])
})
