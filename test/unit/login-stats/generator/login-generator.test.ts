import { describe, expect, it } from 'vitest'
import { parseDimensions } from '../../../../src/login-stats/domain/dimensions.ts'
import { LoginParser } from '../../../../src/login-stats/domain/login-parser.ts'
import { type GeneratedLogin, loginGenerator } from '../../../../src/login-stats/generator/login-generator.ts'
import { Xoshiro128 } from '../../../../src/login-stats/generator/xoshiro128.ts'

const dimensions = parseDimensions('locale,device_type,app_version')

function take(count: number, options: Parameters<typeof loginGenerator>[0]): GeneratedLogin[] {
  const generator = loginGenerator(options)
  return Array.from({ length: count }, () => generator.next().value)
}

describe('loginGenerator', () => {
  it('gives the same records for the same seed, and others for another', () => {
    const options = { seed: 7, invalidShare: 0.2 }
    expect(take(500, options)).toEqual(take(500, options))
    expect(take(500, options)).not.toEqual(take(500, { ...options, seed: 8 }))
  })

  it('knows which of its records are valid, and makes every kind of invalid one', () => {
    const parser = new LoginParser({ dimensions, maxClockSkewMs: 300_000 })
    const codes = new Set<string>()
    for (const { value, valid, timestampMs } of take(30_000, { seed: 3, invalidShare: 0.3 })) {
      const code = parser.parse(
        value ?? Buffer.alloc(0),
        value === null ? -1 : 0,
        value?.length ?? -1,
        timestampMs,
      )
      expect(code === null, `${code}: ${value}`).toBe(valid)
      if (code !== null) codes.add(code)
    }
    expect([...codes].sort()).toEqual([
      'FIELD_INVALID',
      'NOT_JSON',
      'TIMESTAMP_INVALID',
      'TIMESTAMP_OUT_OF_RANGE',
      'USER_ID_INVALID',
    ])
  })

  it('keeps to the share of invalid records', () => {
    expect(take(5_000, { seed: 1 }).every(({ valid }) => valid)).toBe(true)
    const invalid = take(20_000, { seed: 1, invalidShare: 0.02 }).filter(({ valid }) => !valid).length
    expect(invalid).toBeGreaterThan(300)
    expect(invalid).toBeLessThan(500)
  })

  it('follows its clock, a little out of order, with some late ones, and none ahead', () => {
    let now = 1_700_000_000_000
    const clock = (): number => {
      now += 10
      return now
    }
    const parser = new LoginParser({ dimensions, maxClockSkewMs: 0 })
    const latenesses = take(10_000, { seed: 5, clock }).map(({ value, timestampMs }) => {
      expect(parser.parse(value!, 0, value!.length, timestampMs)).toBeNull()
      return timestampMs - parser.eventTimeMs
    })
    expect(Math.min(...latenesses)).toBeGreaterThanOrEqual(0)
    expect(latenesses.filter((ms) => ms > 10_000).length).toBeGreaterThan(50)
    expect(latenesses.filter((ms) => ms < 3_000).length).toBeGreaterThan(9_700)
  })

  it('has skewed locales, and logins without one', () => {
    const counts = new Map<string, number>()
    for (const { value } of take(20_000, { seed: 2 })) {
      const { locale } = JSON.parse(value!.toString()) as { locale?: string | null }
      counts.set(String(locale), (counts.get(String(locale)) ?? 0) + 1)
    }
    expect(counts.size).toBeGreaterThan(40)
    expect(counts.get('RU')).toBeGreaterThan(2_500)
    expect(counts.get('undefined')).toBeGreaterThan(50)
    expect(counts.get('null')).toBeGreaterThan(50)
  })
})

describe('the skew', () => {
  /** How many logins have each value, of those that have one as it is made. */
  const countsOf = (field: 'locale' | 'device_type' | 'app_version', skew: number | undefined) => {
    const counts = new Map<string, number>()
    const options = { seed: 11, userCount: 40_000, ...(skew === undefined ? {} : { skew }) }
    for (const { value } of take(40_000, options)) {
      const given = (JSON.parse(value!.toString()) as Record<string, unknown>)[field]
      if (given && given !== 'ES' && given !== '50%:a+b')
        counts.set(String(given), (counts.get(String(given)) ?? 0) + 1)
    }
    return [...counts.values()].toSorted((a, b) => b - a)
  }
  const weights = {
    locale: Array.from({ length: 69 }, (_, index) => 1 / (index + 1)),
    device_type: [3, 2, 1, 1],
    app_version: Array.from({ length: 6 }, (_, index) => 1 / (index + 1)),
  }

  it.each(
    ([0, 0.5, undefined, 2, 10] as const).flatMap((skew) =>
      (['locale', 'device_type', 'app_version'] as const).map((field) => [skew, field] as const),
    ),
  )('%s: the frequencies of %s are those powers of their weights', (skew, field) => {
    const counts = countsOf(field, skew)
    const powers = weights[field].map((weight) => weight ** (skew ?? 1))
    const sum = powers.reduce((total, power) => total + power, 0)
    const logins = counts.reduce((total, count) => total + count, 0)
    for (const [index, power] of powers.entries()) {
      const expected = (logins * power) / sum
      // Five standard deviations of a user's choice and of the choice of users; the order of rare ones is by chance.
      const deviation = 5 * Math.sqrt(2 * expected) + 5
      expect(Math.abs((counts[index] ?? 0) - expected), `${index}`).toBeLessThan(deviation)
    }
  })
})

describe('Xoshiro128', () => {
  it('spreads evenly', () => {
    const random = new Xoshiro128(1)
    const counts = new Array<number>(16).fill(0)
    for (let draw = 0; draw < 160_000; draw++) counts[random.below(16)]!++
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  })
})
