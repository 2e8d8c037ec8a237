import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CacheBudget } from '../../../../src/streams/store/cache-budget.ts'
import { CommittedCache, type CommittedValue } from '../../../../src/streams/store/committed-cache.ts'

const valueFor = (n: number, length: number | null): CommittedValue =>
  length === null
    ? { value: null, checksum: 0 }
    : { value: Buffer.alloc(length, n), checksum: 2 ** 32 - 1 - n }

const step = fc.record({
  key: fc.nat({ max: 40 }),
  length: fc.option(
    fc.oneof(fc.constant(20), fc.nat({ max: 90 }), fc.constantFrom(0, 400, 65_534, 65_535, 70_000)),
  ),
})

const keyOf = (n: number): Buffer => Buffer.from(`${'key-'.repeat(1 + (n % 3))}${n}`)

describe('the cache of committed values', () => {
  test.each([0, 900, 3000, 100_000])('of %d bytes gives what was set last, or nothing', (maxBytes) => {
    const sequence = fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const cache = new CommittedCache(new CacheBudget(maxBytes))
      const model = new Map<number, CommittedValue>()
      for (const [n, { key, length }] of steps.entries()) {
        const value = valueFor(n, length)
        cache.set(keyOf(key), value)
        model.set(key, value)
        for (const [known, expected] of model) {
          const found = cache.get(keyOf(known))
          if (found !== undefined) expect(found).toEqual(expected)
        }
      }
    })
    fc.assert(sequence, { numRuns: 60 })
  })

  test('forgets nothing while there is room, and the oldest first when there is none', () => {
    const cache = new CommittedCache(new CacheBudget(1 << 20))
    const perEntry = 12 + 14 + 30
    const room = Math.floor((1 << 20) / perEntry)
    const key = (n: number) => Buffer.from(`key-${String(n).padStart(10, '0')}`)
    for (let n = 0; n < room; n += 1) cache.set(key(n), valueFor(n % 256, 30))
    for (let n = 0; n < room; n += 1) expect(cache.get(key(n))).toEqual(valueFor(n % 256, 30))
    // Three more rounds.
    for (let n = room; n < 4 * room; n += 1) cache.set(key(n), valueFor(n % 256, 30))
    for (let n = 3 * room + 1; n < 4 * room; n += 1) expect(cache.get(key(n))).toEqual(valueFor(n % 256, 30))
    for (let n = 0; n < 3 * room; n += 1) expect(cache.get(key(n))).toBeUndefined()
  })

  test('does not take a value for the mark of an absent one', () => {
    const cache = new CommittedCache(new CacheBudget(4 << 20))
    cache.set(keyOf(1), valueFor(1, null))
    cache.set(keyOf(2), valueFor(2, 30))
    for (const length of [65_534, 65_535, 65_536]) {
      cache.set(keyOf(1), valueFor(1, null))
      cache.set(keyOf(1), valueFor(3, length))
      const found = cache.get(keyOf(1))
      expect(found === undefined || found.value?.length === length).toBe(true)
      expect(cache.get(keyOf(2))).toEqual(valueFor(2, 30))
    }
  })

  test('is empty after it was cleared, and works on', () => {
    const cache = new CommittedCache(new CacheBudget(3000))
    for (let n = 0; n < 200; n += 1) cache.set(keyOf(n), valueFor(n, 30))
    cache.clear()
    for (let n = 0; n < 200; n += 1) expect(cache.get(keyOf(n))).toBeUndefined()
    for (let n = 0; n < 300; n += 1) cache.set(keyOf(n), valueFor(n + 1, 40))
    expect(cache.get(keyOf(299))).toEqual(valueFor(300, 40))
    expect(cache.get(keyOf(0))).toBeUndefined()
  })

  test('gives a value that stays as it was', () => {
    const cache = new CommittedCache(new CacheBudget(1 << 20))
    cache.set(keyOf(1), valueFor(1, 30))
    const found = cache.get(keyOf(1))
    cache.set(keyOf(1), valueFor(2, 30))
    expect(found).toEqual(valueFor(1, 30))
    cache.clear()
    expect(cache.get(keyOf(1))).toBeUndefined()
  })
})

test('a budget is shared out among the caches that are open, and leaves each a little', () => {
  const budget = new CacheBudget(8 << 20)
  expect(budget.shareBytes).toBe(8 << 20)
  for (let cache = 0; cache < 4; cache += 1) budget.join()
  expect(budget.shareBytes).toBe(2 << 20)
  for (let cache = 4; cache < 64; cache += 1) budget.join()
  expect(budget.shareBytes).toBe(1 << 20)
  for (let cache = 63; cache > 0; cache -= 1) budget.leave()
  expect(budget.shareBytes).toBe(8 << 20)
})

test('a cache whose share has become smaller grows no further, and works on', () => {
  const budget = new CacheBudget(4 << 20)
  budget.join()
  const cache = new CommittedCache(budget)
  const key = (n: number) => Buffer.from(`key-${String(n).padStart(10, '0')}`)
  const fill = (from: number, to: number) => {
    for (let n = from; n < to; n += 1) cache.set(key(n), valueFor(n % 256, 30))
  }
  const known = (to: number) => {
    let count = 0
    for (let n = 0; n < to; n += 1) if (cache.get(key(n)) !== undefined) count += 1
    return count
  }
  fill(0, 30_000)
  expect(known(30_000)).toBe(30_000)
  for (let other = 0; other < 7; other += 1) budget.join()
  fill(30_000, 100_000)
  // What fits into the two megabytes that it has already.
  expect(known(100_000)).toBe(Math.floor((2 << 20) / 56))
  expect(cache.get(key(99_999))).toEqual(valueFor(99_999 % 256, 30))
})
