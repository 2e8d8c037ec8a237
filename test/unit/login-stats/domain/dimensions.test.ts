import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  countedFields,
  type Dimension,
  dimensionOf,
  encodeKeyPart,
  inCountedOrder,
  keyRange,
  parseDimensions,
  parseKey,
  tableKey,
} from '../../../../src/login-stats/domain/dimensions.ts'

const part = fc.oneof(
  fc.string({ unit: fc.constantFrom('%', ':', '+', '2', '5', 'B', 'A', '3', 'C', ',', 'x', 'é') }),
  fc.string({ unit: 'binary' }),
)
const keyed = fc
  .array(fc.tuple(part, part), { minLength: 1, maxLength: 3 })
  .map((pairs) => ({ fields: pairs.map(([field]) => field), values: pairs.map(([, value]) => value) }))

function keyOf({ fields, values }: { fields: string[]; values: string[] }): string {
  const dimension: Dimension = { name: fields.map(encodeKeyPart).join('+'), fields }
  return Buffer.from(tableKey(dimension, values)).toString()
}

describe('dimensions that rows are found of', () => {
  it('come in the order of the setting, those that are not counted any more after them, without the total', () => {
    const counted = parseDimensions('locale,device_type,app_version')
    expect(inCountedOrder(['ip', 'device_type', 'total', 'locale'], counted)).toEqual([
      'locale',
      'device_type',
      'ip',
    ])
  })
})

describe('table keys', () => {
  it('are those of the contract', () => {
    const [locale, both] = parseDimensions('locale,locale+device_type')
    expect(tableKey(locale!, ['RU'])).toBe('locale:RU')
    expect(tableKey(both!, ['RU', 'android'])).toBe('locale+device_type:RU+android')
    expect(tableKey(both!, ['a+b', '50%:'])).toBe('locale+device_type:a%2Bb+50%25%3A')
  })

  it('can be taken apart again, whatever the fields and values', () => {
    fc.assert(
      fc.property(keyed, (one) => {
        expect(parseKey(keyOf(one))).toEqual(one)
      }),
    )
  })

  it('are different for different fields or values', () => {
    fc.assert(
      fc.property(keyed, keyed, (one, other) => {
        expect(keyOf(one) === keyOf(other)).toBe(JSON.stringify(one) === JSON.stringify(other))
      }),
    )
  })

  it('lie between the bounds of their own dimension, and of no other', () => {
    fc.assert(
      fc.property(keyed, keyed, (one, other) => {
        const key = Buffer.from(keyOf(one))
        const isIn = ({ fields }: { fields: string[] }) => {
          const { gte, lt } = keyRange(fields.map(encodeKeyPart).join('+'))
          return gte.compare(key) <= 0 && lt.compare(key) > 0
        }
        expect(isIn(one)).toBe(true)
        expect(isIn(other)).toBe(keyOf({ ...other, values: [] }) === keyOf({ ...one, values: [] }))
      }),
    )
    const { gte, lt } = keyRange('locale')
    const total = Buffer.from('total')
    expect(gte.compare(total) <= 0 && lt.compare(total) > 0).toBe(false)
  })

  it('never read as the total', () => {
    fc.assert(
      fc.property(keyed, (one) => {
        expect(keyOf(one)).not.toBe('total')
      }),
    )
  })

  it('give the dimension and the value of the row', () => {
    expect(dimensionOf('total')).toEqual({ dimension: 'total', value: 'total' })
    expect(dimensionOf('locale:RU')).toEqual({ dimension: 'locale', value: 'RU' })
    expect(dimensionOf('app_version:1%3A2%2525')).toEqual({ dimension: 'app_version', value: '1:2%25' })
    expect(dimensionOf('locale+device_type:RU+a%2Bb')).toEqual({
      dimension: 'locale+device_type',
      value: 'RU+a+b',
    })
  })
})

describe('DIMENSIONS', () => {
  it('names fields, and fields joined by a plus', () => {
    expect(parseDimensions(' locale , device_type+locale,user_id,a%2Cb%3A')).toEqual([
      { name: 'locale', fields: ['locale'] },
      { name: 'device_type+locale', fields: ['device_type', 'locale'] },
      { name: 'user_id', fields: ['user_id'] },
      { name: 'a,b%3A', fields: ['a,b:'] },
    ])
    expect(countedFields(parseDimensions('locale,device_type+locale'))).toEqual(['locale', 'device_type'])
    expect(parseDimensions(' ')).toEqual([])
  })

  it.each(['a,,b', 'a+', 'a,a', 'a+a', '100%', 'a%2', 'locale, total'])('refuses %s', (text) => {
    expect(() => parseDimensions(text)).toThrow('CONFIG_INVALID')
  })
})
