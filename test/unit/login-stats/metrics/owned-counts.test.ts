import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteWriter } from '../../../../src/bytes/varint.ts'
import { countGauges } from '../../../../src/login-stats/metrics/count-gauges.ts'
import { mostSeries, ownedByAll, ownedCounts } from '../../../../src/login-stats/metrics/owned-counts.ts'
import type { Streams } from '../../../../src/streams/index.ts'

/** Counts by key. */
type Store = ReadonlyMap<string, number>

/** As much of the beginning of an entry as is looked at: no timer, version 1, the count. */
function entryOf(count: number): Buffer {
  const writer = new ByteWriter()
  writer.writeUVarint(1)
  writer.writeUVarint(count)
  return Buffer.concat([Buffer.alloc(8), writer.toBuffer()])
}

/** A thread whose tasks have these stores. */
function threadOf(stores: readonly Store[]): Pick<Streams, 'query'> {
  return {
    async *query({ gte, lt, limit }) {
      for (const [at, store] of stores.entries()) {
        const entries = [...store]
          .map(([key, count]): [Buffer, Buffer] => [Buffer.from(key), entryOf(count)])
          .filter(([key]) => gte.compare(key) <= 0 && lt.compare(key) > 0)
          .toSorted(([a], [b]) => a.compare(b))
          .slice(0, limit)
        while (entries.length > 0) yield { task: `1_${at}`, entries: entries.splice(0, 700) }
      }
    },
  }
}

const locales = (counts: readonly number[]): Store =>
  new Map(counts.map((count, at) => [`locale:${String(at).padStart(6, '0')}`, count]))

test('of each dimension an instance tells the values with the most logins, whichever thread has them', async () => {
  const count = fc.integer({ min: 1, max: 5000 })
  const store = fc.array(count, { maxLength: 900 })
  const threads = fc.array(fc.array(store, { maxLength: 3 }), { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(threads, async (instance) => {
      const answers = await Promise.all(
        instance.map((stores) => ownedCounts(threadOf(stores.map(locales)), ['locale'])),
      )
      const [total, owned] = ownedByAll(answers)
      expect(total).toEqual({ dimension: 'total', counts: [], leftOut: 0 })
      const all = instance.flat(2).toSorted((a, b) => b - a)
      expect(owned?.counts.map((each) => each.count)).toEqual(all.slice(0, mostSeries))
      expect(owned?.leftOut).toBe(Math.max(0, all.length - mostSeries))
    }),
    { numRuns: 40 },
  )
})

test('of a store with more values than are looked at, the rest is told as left out, at least', async () => {
  const [, owned] = await ownedCounts(threadOf([locales(new Array(30_000).fill(7))]), ['locale'])
  expect(owned?.counts.length).toBe(mostSeries)
  expect(owned?.leftOut).toBeGreaterThanOrEqual(9000)
})

test('the metrics tell the total, each value, and whether any is left out', async () => {
  const store = new Map([
    ['device_type:ios', 3],
    ['locale:a%3Ab', 1],
    ['locale:RU', 2],
    ['total', 3],
  ])
  const dimensions = ['device_type', 'locale']
  const owned = ownedByAll([await ownedCounts(threadOf([store]), dimensions)])
  const metrics = await countGauges(owned, { inputTopic: 'in', dimensions })
  const samples = metrics.flatMap(({ name, values }) =>
    values.map(({ labels, value }) => [name, ...Object.values(labels), value].join(' ')),
  )
  expect(samples).toEqual([
    'total_count valid in 3',
    'login_stats_unexported_values device_type 0',
    'login_stats_unexported_values locale 0',
    'device_type_count ios in 3',
    'locale_count RU in 2',
    'locale_count a:b in 1',
  ])
})
