import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommittedCache, type CommittedValue } from '../../../../src/streams/store/committed-cache.ts'

const valueFor = (n: number, length: number | null): CommittedValue =>
  length === null
    ? { value: null, checksum: 0 }
    : { value: Buffer.alloc(length, n), checksum: 2 ** 32 - 1 - n }

const step = fc.record({
  key: fc.nat({ max: 40 }),
  length: fc.option(fc.oneof(fc.constant(20), fc.nat({ max: 90 }), fc.constantFrom(400, 70_000))),
})

const keyOf = (n: number): Buffer => Buffer.from(`${'key-'.repeat(1 + (n % 3))}${n}`)

describe('the cache of committed values', () => {
  test.each([0, 900, 3000, 100_000])('of %d bytes gives what was set last, or nothing', (maxBytes) => {
    const sequence = fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const cache = new CommittedCache(maxBytes)
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
    const cache = new CommittedCache(1 << 20)
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

  test('gives a value that stays as it was', () => {
    const cache = new CommittedCache(1 << 20)
    cache.set(keyOf(1), valueFor(1, 30))
    const found = cache.get(keyOf(1))
    cache.set(keyOf(1), valueFor(2, 30))
    expect(found).toEqual(valueFor(1, 30))
    cache.clear()
    expect(cache.get(keyOf(1))).toBeUndefined()
  })
})
