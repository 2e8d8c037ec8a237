import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dimensionOf } from '../../../../src/login-stats/domain/dimensions.ts'
import * as format from '../../../../src/login-stats/page/format.js'

describe('numbers', () => {
  test('counts keep every digit', () => {
    expect(format.count(0)).toBe('0')
    expect(format.count(1_234_567_890)).toBe('1,234,567,890')
    expect(format.count(null)).toBe('–')
    fc.assert(
      fc.property(fc.maxSafeNat(), (count) => Number(format.count(count).replaceAll(',', '')) === count),
    )
  })

  test('small rates have a decimal, others none', () => {
    expect([0, 0.04, 4.25, 9.94, 9.96, 1204.4, null].map(format.rate)).toEqual([
      '0',
      '<0.1',
      '4.3',
      '9.9',
      '10',
      '1,204',
      '–',
    ])
  })

  test('a share is 0% only of nothing, and 100% only of all', () => {
    expect(format.share(0, 7)).toBe('0.0%')
    expect(format.share(1, 1_000_000)).toBe('<0.1%')
    expect(format.share(999_999, 1_000_000)).toBe('>99.9%')
    expect(format.share(7, 7)).toBe('100.0%')
    expect(format.share(1, 3)).toBe('33.3%')
    expect(format.share(0, 0)).toBe('–')
    expect(format.share(3, null)).toBe('–')
  })

  test('durations are as coarse as they are long', () => {
    const durations = [0, 999, 1_000, 59_999, 200_000, 3_599_000, 7_500_000, 90_000_000, 900_000_000]
    expect(durations.map(format.duration)).toEqual([
      '<1 s',
      '<1 s',
      '1 s',
      '59 s',
      '3 min 20 s',
      '59 min',
      '2 h 5 min',
      '1 day',
      '10 days',
    ])
  })

  test('a time that is none is shown as nothing', () => {
    // Without a zone: where the reader is.
    const now = new Date('2023-09-12T10:00:00').getTime()
    expect(format.moment('soon', now)).toBe('–')
    expect(format.moment('2023-09-12T09:32:31', now)).toBe('09:32:31')
    expect(format.moment('2023-02-11T09:32:31', now)).toBe('11 Feb, 09:32:31')
    expect(format.moment('2022-02-11T09:32:31', now)).toBe('11 Feb 2022, 09:32:31')
  })
})

describe('names and values', () => {
  test('a dimension is titled by its fields', () => {
    expect(format.dimensionTitle('locale')).toBe('Locale')
    expect(format.dimensionTitle('device_type')).toBe('Device type')
    expect(format.dimensionTitle('locale+device_type')).toBe('Locale + device type')
    expect(format.dimensionTitle('a%2Bb+c')).toBe('A+b + c')
  })

  test('a value of one field is shown as it is, one of several fields decoded', () => {
    const value = (key: string) => format.rowValue({ key, ...dimensionOf(key) })
    expect(value('locale:50%2525')).toBe('50%25')
    expect(value('locale+device_type:R%2BU+an%3Adroid')).toBe('R+U + an:droid')
    expect(value('locale+device_type:%252B+x')).toBe('%2B + x')
  })

  test('a long name of an instance keeps both of its ends', () => {
    expect(format.shortName('login-stats-0')).toBe('login-stats-0')
    expect(format.shortName('lmYL3fZfpBglxWUJhRgMJA')).toBe('lmYL3fZ…RgMJA')
    expect(format.shortName('login-stats-west-2-replica-11')).toBe('login-s…ca-11')
  })

  test('what cannot be seen is made visible', () => {
    expect(format.readable('a\nb\u0000')).toBe('a␊b␀')
    expect(format.readable('safe\u202Etxt.exe')).toBe('safe[U+202E]txt.exe')
    expect(format.readable('\u200b')).toBe('[U+200B]')
    expect(format.readable(' RU')).toBe('“ RU”')
    expect(format.readable('')).toBe('“”')
    expect(format.readable('<b>Ünï 日本</b>')).toBe('<b>Ünï 日本</b>')
  })

  test('what stands for dead letters without a code, and for further codes, is said in words', () => {
    expect(['none', 'other', 'NOT_JSON', ''].map(format.reason)).toEqual([
      ...['No code', 'Other codes', 'NOT_JSON', '“”'],
    ])
  })

  test('nothing that is shown is blank, or turns the text around it', () => {
    const anyText = fc
      .array(fc.integer({ min: 0, max: 0x10ffff }))
      .map((codes) => String.fromCodePoint(...codes))
    fc.assert(
      fc.property(fc.oneof(fc.string(), anyText), (text) => {
        const shown = format.readable(text)
        expect(shown.trim()).not.toBe('')
        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
      }),
    )
  })
})
