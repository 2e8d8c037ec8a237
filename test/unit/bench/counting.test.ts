import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyedLogin, userId } from '../../../bench/input/keyed-logins.ts'
import { ByteCounts } from '../../../bench/limits/byte-counts.ts'
import { differenceOf } from '../../../bench/measure/same-counts.ts'

describe('ByteCounts', () => {
  it('counts as a map of texts does', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 3 }), { maxLength: 300 }), (values) => {
        const counts = new ByteCounts()
        const naive = new Map<string, number>()
        for (const value of values) {
          const bytes = Buffer.from(`<${value}>`)
          counts.add(bytes, 1, bytes.length - 1)
          const text = bytes.toString('utf8', 1, bytes.length - 1)
          naive.set(text, (naive.get(text) ?? 0) + 1)
        }
        expect(new Map(counts.entries())).toEqual(naive)
      }),
    )
  })
})

describe('keyedLogin', () => {
  it.each([1, 10, 1000, 12_345])('meets each of %d users once in as many logins', (users) => {
    const met = new Set<string>()
    for (let index = 0; index < users; index++) {
      met.add((JSON.parse(keyedLogin(index, users, 0).toString()) as { user_id: string }).user_id)
    }
    expect(met.size).toBe(users)
    expect(met).toContain(userId(users - 1))
  })
})

describe('differenceOf', () => {
  const ours = { name: 'ours', counts: new Map([['a', 1], ['b', 2]]) } // biome-ignore format: two short entries

  it('is null for equal counts', () => {
    expect(differenceOf(ours, { name: 'theirs', counts: new Map([...ours.counts].reverse()) })).toBeNull()
  })

  it('names keys that differ or are missing on either side', () => {
    const theirs = {
      name: 'theirs',
      counts: new Map([...ours.counts, ['b', 3], ['c', 4]] as [string, number][]),
    }
    const difference = differenceOf(ours, theirs)
    expect(difference).toContain('2 of 3 keys')
    expect(difference).toContain('b is 2 and 3')
    expect(difference).toContain('c is missing and 4')
    expect(differenceOf(theirs, ours)).toContain('c is 4 and missing')
  })
})
