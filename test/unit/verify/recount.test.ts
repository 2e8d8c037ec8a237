import { describe, expect, it } from 'vitest'
import { decodeCounter, rollingOf } from '../../../src/verify/changelog.ts'
import { field, isInPass, Ledger, rolling, TooManyKeys } from '../../../src/verify/ledger.ts'
import { readLogin } from '../../../src/verify/login.ts'
import { murmur2, partitionOf } from '../../../src/verify/partitioner.ts'
import { isInWindow, Recount } from '../../../src/verify/recount.ts'

const rules = {
  dimensions: [
    { name: 'locale', fields: ['locale'] },
    { name: 'locale+device_type', fields: ['locale', 'device_type'] },
  ],
  maxClockSkewMs: 300_000,
  windows: [{ name: '1m', durationMs: 60_000 }],
  panes: 60,
}
const now = 1_694_479_551_000

function login(fields: object | string | Buffer | null, timestamp = now) {
  const value =
    fields === null || Buffer.isBuffer(fields)
      ? fields
      : Buffer.from(typeof fields === 'string' ? fields : JSON.stringify(fields))
  return readLogin({ value, timestamp }, rules)
}

const good = { user_id: 'u', timestamp: '1694479551', locale: 'RU', device_type: 'android' }

describe('readLogin', () => {
  it('gives the event time and the rows', () => {
    expect(login(good)).toEqual({
      eventTime: now,
      rows: [
        { key: 'total', dimension: 'total', value: 'total' },
        { key: 'locale:RU', dimension: 'locale', value: 'RU' },
        { key: 'locale+device_type:RU+android', dimension: 'locale+device_type', value: 'RU+android' },
      ],
    })
  })

  it.each([
    ['missing', {}, 'unknown'],
    ['null', { locale: null }, 'unknown'],
    ['empty', { locale: '' }, 'unknown'],
    ['with signs that keys use', { locale: 'a%b:c+d' }, 'a%25b%3Ac%2Bd'],
    ['half a surrogate pair', { locale: '\ud800' }, '\ufffd'],
    ['256 bytes', { locale: 'x'.repeat(256) }, 'x'.repeat(256)],
  ])('counts a field that is %s', (_, fields, expected) => {
    const { locale: _locale, ...rest } = good
    expect(login({ ...rest, ...fields })?.rows[1]?.key).toBe(`locale:${expected}`)
  })

  it.each([
    ['null', null],
    ['empty', ''],
    ['no JSON', '{"user_id":'],
    ['no object', '[1]'],
    ['null in JSON', 'null'],
    ['no UTF-8', Buffer.from([...Buffer.from('{"user_id":"'), 0xff, 0x22, 0x7d])],
    ['after a byte-order mark', Buffer.from(`\ufeff${JSON.stringify(good)}`)],
    ['no user', { ...good, user_id: '' }],
    ['a numeric user', { ...good, user_id: 1 }],
    ['no time', { ...good, timestamp: undefined }],
    ['an empty time', { ...good, timestamp: '' }],
    ['a hexadecimal time', { ...good, timestamp: '0x64ffb2ff' }],
    ['a time with blanks', { ...good, timestamp: ' 1694479551' }],
    ['a time of 1999', { ...good, timestamp: 946_684_799.999 }],
    ['a time too far ahead', { ...good, timestamp: 1_694_479_551 + 300.001 }],
    ['an infinite time', JSON.stringify(good).replace('"1694479551"', '1e999')],
    ['a numeric field', { ...good, locale: 1 }],
    ['a field of 257 bytes', { ...good, device_type: 'x'.repeat(257) }],
    ['a field of 129 letters in 258 bytes', { ...good, device_type: 'é'.repeat(129) }],
  ])('refuses a value that is or has %s', (_, value) => {
    expect(login(value)).toBeNull()
  })

  it.each([
    ['1694479551.25', now + 250],
    [1_694_479_551.001, now + 1],
    [946_684_800, 946_684_800_000],
    [1_694_479_551 + 300, now + 300_000],
  ])('takes the time %s', (timestamp, expected) => {
    expect(login({ ...good, timestamp })?.eventTime).toBe(expected)
  })

  it('does not take fields from the prototype of all objects', () => {
    const dimensions = [{ name: 'constructor', fields: ['constructor'] }]
    const read = readLogin(
      { value: Buffer.from(JSON.stringify(good)), timestamp: now },
      { ...rules, dimensions },
    )
    expect(read?.rows[1]?.key).toBe('constructor:unknown')
    const own = login(JSON.stringify(good).replace('{', '{"__proto__":{"locale":"XX"},'))
    expect(own?.rows[1]?.key).toBe('locale:RU')
  })
})

describe('partitionOf', () => {
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as the Java client does', (text, expected) => {
    expect(murmur2(Buffer.from(text)) | 0).toBe(expected)
  })

  it('never gives a negative partition', () => {
    for (let key = 0; key < 1000; key++) {
      const partition = partitionOf(Buffer.from(`é${key}`), 7)
      expect(partition).toBeGreaterThanOrEqual(0)
      expect(partition).toBeLessThan(7)
    }
  })
})

describe('isInWindow', () => {
  const minute = { name: '1m', durationMs: 60_000 }
  it.each([
    [60_000, 119_999, true],
    [59_999, 119_000, false],
    [60_000, 120_000, false],
    [119_999, 119_000, true],
    [120_000, 119_999, false],
  ])('a login at %d as of %d: %s', (eventTime, asOf, expected) => {
    expect(isInWindow(eventTime, asOf, minute, 60)).toBe(expected)
  })
})

describe('Recount', () => {
  const record = (offset: number, value: string) => ({
    ...{ offset, timestamp: now, key: null, headers: [], value: Buffer.from(value) },
  })

  it('counts each key as far as told, as of the times told', () => {
    const ledger = new Ledger({ windowCount: 1, partitionCount: 2 })
    const [ofTotal, ofLocale] = ['total', 'locale:RU'].map((key) => ledger.partitionFor(key))
    expect(ofTotal).not.toBe(ofLocale)
    const total = ledger.entry('total')
    ledger.set(total, field.rowPlace, 1)
    ledger.set(total, field.rowAsOf, now + 60_000)
    const ends = [new Map(), new Map()]
    ends[ofTotal!] = new Map([[0, 9]])
    ends[ofLocale!] = new Map([[0, 1]])
    const invalid: number[] = []
    const recount = new Recount({
      ...{ rules: { ...rules, dimensions: rules.dimensions.slice(0, 1) }, ledger },
      ...{ streamTimes: [now, now], counted: ends },
      onInvalid: ({ offset }) => invalid.push(offset),
    })
    recount.add(record(0, JSON.stringify(good)), 0)
    recount.add(record(1, JSON.stringify({ ...good, timestamp: 1_694_479_550 })), 0)
    recount.add(record(2, 'rubbish'), 0)
    recount.add(record(3, JSON.stringify({ ...good, timestamp: 1_694_479_401 })), 0)
    recount.add(record(0, JSON.stringify(good)), 1)
    // Only the first is counted with both its keys.
    expect(recount).toMatchObject({ valid: 4, invalid: 1, uncounted: 3 })
    expect(invalid).toEqual([2])
    expect(ledger.get(total, field.count)).toBe(3)
    expect(ledger.get(total, field.firstSeen)).toBe(now - 150_000)
    expect(ledger.get(total, field.lastSeen)).toBe(now)
    expect(ledger.get(total, ledger.rollingAt(rolling.final, 0))).toBe(2)
    expect(ledger.get(total, ledger.rollingAt(rolling.asOfRow, 0))).toBe(0)
    expect(ledger.get(ledger.find('locale:RU'), field.count)).toBe(1)
  })

  it('makes no entry for a key whose logins are all beyond the cut', () => {
    const ledger = new Ledger({ windowCount: 1, partitionCount: 1 })
    const recount = new Recount({ rules, ledger, streamTimes: [now], counted: [new Map()] })
    recount.add(record(0, JSON.stringify(good)), 0)
    expect(recount.valid).toBe(1)
    expect(ledger.keys).toEqual([])
  })

  it('looks at each key in exactly one of several passes, and at no more keys than it may', () => {
    const seen: string[] = []
    for (const pass of [0, 1, 2]) {
      const holds = (key: string) => isInPass(key, pass, 3)
      const ledger = new Ledger({ windowCount: 1, partitionCount: 1, holds })
      const recount = new Recount({ rules, ledger, streamTimes: [now], counted: 'everything' })
      for (let user = 0; user < 300; user++)
        recount.add(record(user, JSON.stringify({ ...good, locale: `L${user}` })), 0)
      expect(ledger.keys.length).toBeGreaterThan(100)
      seen.push(...ledger.keys)
    }
    expect(new Set(seen).size).toBe(601)
    expect(seen).toHaveLength(601)
    const small = new Ledger({ windowCount: 1, partitionCount: 1, mostKeys: 2 })
    for (const key of ['a', 'b', 'a']) small.entry(key)
    expect(() => small.entry('c')).toThrow(TooManyKeys)
  })
})

describe('the counters of the changelog', () => {
  it('are read as their format says', () => {
    // format 1, count 300, first seen 1000, last seen 1005; one window with panes 10 (2) and 13 (298)
    const bytes = Buffer.from([1, 0xac, 2, 0xe8, 7, 5, 1, 2, 10, 2, 3, 0xaa, 2])
    const counter = decodeCounter(bytes)
    const panes = [
      [
        [10, 2],
        [13, 298],
      ],
    ]
    expect(counter).toEqual({ count: 300, firstSeen: 1000, lastSeen: 1005, panes })
    const windows = [{ name: 'w', durationMs: 400 }]
    expect(rollingOf(counter, 1300, windows, 4)).toEqual({ w: 300 })
    expect(rollingOf(counter, 1299, windows, 4)).toEqual({ w: 2 })
    expect(rollingOf(counter, 1400, windows, 4)).toEqual({ w: 298 })
    expect(() => decodeCounter(bytes.subarray(0, -1))).toThrow('not a counter')
    expect(() => decodeCounter(Buffer.concat([bytes, Buffer.from([0])]))).toThrow('not a counter')
    expect(() => decodeCounter(Buffer.from([2, ...bytes.subarray(1)]))).toThrow('FORMAT_TOO_NEW')
  })
})
