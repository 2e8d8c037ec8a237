/** What leaves the processor: table rows, enriched records, dead letters. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deadLetter, type InvalidRecord } from '../../../../src/login-stats/domain/dead-letter.ts'
import { Enricher } from '../../../../src/login-stats/domain/enriched.ts'
import { IsoTime } from '../../../../src/login-stats/domain/iso-time.ts'
import { LoginCounter } from '../../../../src/login-stats/domain/login-counter.ts'
import { LoginDelta } from '../../../../src/login-stats/domain/login-delta.ts'
import { encodeRow, parseRow } from '../../../../src/login-stats/domain/table-row.ts'
import { parseWindows } from '../../../../src/login-stats/domain/windows.ts'
import type { Header } from '../../../../src/ports/kafka.ts'

const start = 1_694_479_551_000

function counterOf(
  times: readonly number[],
  asOf: number,
  windows = parseWindows('1m,5m,1h,24h', 60),
): LoginCounter {
  const counter = new LoginCounter(windows)
  const delta = new LoginDelta()
  for (const time of times) delta.add(time, Math.floor(time / windows.tickMs))
  counter.add(delta, asOf)
  return counter
}

describe('a table row', () => {
  it('is the JSON of the contract', () => {
    const row = encodeRow(
      Buffer.from('locale:RU'),
      counterOf([start, start + 2_253_000], start + 2_253_000),
      start + 2_253_000,
    )
    expect(row.toString()).toBe(
      '{"dimension":"locale","value":"RU","count":2,"rolling":{"1m":1,"5m":1,"1h":2,"24h":2},' +
        '"first_seen":"2023-09-12T00:45:51.000Z","last_seen":"2023-09-12T01:23:24.000Z","as_of":"2023-09-12T01:23:24.000Z"}',
    )
  })

  it('is read back as it was, whatever the value', () => {
    const dimensions = fc.constantFrom('app_version', 'locale', 'locale+device_type', 'naïve "field"')
    const times = fc.array(fc.integer({ min: start, max: start + 90_000_000 }), {
      minLength: 1,
      maxLength: 5,
    })
    fc.assert(
      fc.property(dimensions, fc.string({ unit: 'binary' }), times, (dimension, value, list) => {
        const asOf = Math.max(...list)
        const counter = counterOf(list, asOf)
        const key = `${dimension}:${value.replace(/[%:+]/g, (c) => encodeURIComponent(c))}`
        const bytes = encodeRow(Buffer.from(key), counter, asOf)
        const [a, b, c, d] = counter.rolling(asOf)
        const expected = {
          dimension,
          value,
          count: list.length,
          rolling: { '1m': a, '5m': b, '1h': c, '24h': d },
          first_seen: new Date(Math.min(...list)).toISOString(),
          last_seen: new Date(asOf).toISOString(),
          as_of: new Date(asOf).toISOString(),
        }
        expect(JSON.parse(bytes.toString())).toEqual(expected)
        expect(bytes.toString()).toBe(JSON.stringify(expected))
        expect(parseRow(bytes)).toEqual(expected)
      }),
    )
  })

  it('has no rolling counts without windows', () => {
    const row = parseRow(
      encodeRow(Buffer.from('total'), counterOf([start], start, parseWindows('', 60)), start),
    )
    expect(row).toMatchObject({ dimension: 'total', value: 'total', count: 1, rolling: {} })
  })

  it.each(['', 'x', 'null', '[]', '{}', '{"dimension":"a","value":"b","count":"1","rolling":{}}'])(
    'is not seen in %s',
    (text) => {
      expect(parseRow(Buffer.from(text))).toBeNull()
    },
  )

  it('is not seen where a count is no whole number that can be told exactly', () => {
    const times = '"first_seen":"t","last_seen":"t","as_of":"t"'
    const rowOf = (count: string, rolling: string) =>
      parseRow(Buffer.from(`{"dimension":"a","value":"b","count":${count},"rolling":${rolling},${times}}`))
    expect(rowOf('1', '{"1m":0}')).toMatchObject({ count: 1, rolling: { '1m': 0 } })
    for (const number of ['1.5', '-1', '9007199254740993', '1e999', '"1"', 'null']) {
      expect(rowOf(number, '{}'), number).toBeNull()
      expect(rowOf('1', `{"1m":0,"5m":${number}}`), number).toBeNull()
    }
    expect(rowOf('1', '[1]')).toBeNull()
  })
})

describe('an enriched record', () => {
  const ours = ['processed_time', 'login_time', 'latency_ms']

  it('is the object with three more members, whatever it holds, by both ways', () => {
    const name = fc.oneof(fc.constantFrom(...ours, 'user_id', '__proto__', 'a"b\\', 'город'), fc.string())
    const object = fc
      .array(fc.tuple(name, fc.jsonValue()), { maxLength: 6 })
      .map(
        (pairs) =>
          `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(' , ')} }`,
      )
    const enricher = new Enricher()
    const time = fc.integer({ min: start, max: start + 100_000 })
    fc.assert(
      fc.property(object, time, time, (text, eventTimeMs, processedTimeMs) => {
        const bytes = Buffer.from(`"}${text}\n{"x`)
        const [from, to] = [2, bytes.length - 3]
        const input = JSON.parse(text) as Record<string, unknown>
        const expected = Object.entries(input)
          .filter(([key]) => !ours.includes(key))
          .concat([
            ['processed_time', new Date(processedTimeMs).toISOString()],
            ['login_time', new Date(eventTimeMs).toISOString()],
            ['latency_ms', processedTimeMs - eventTimeMs],
          ])
          .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
        const hasEnrichedFields = ours.some((key) => Object.hasOwn(input, key))
        for (const way of hasEnrichedFields || Object.keys(input).length === 0 ? [true] : [true, false]) {
          const times = { eventTimeMs, processedTimeMs, hasEnrichedFields: way }
          const written = enricher.enrich(bytes, from, to, times).toString()
          expect(JSON.parse(written)).toEqual(JSON.parse(`{${expected.join(',')}}`))
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('keeps every byte of the other members', () => {
    const text =
      '{ "user_id" : "u\\u0031", "login_time":[{"a":"]}\\""}], "big":12345678901234567890, "e":1.0E+2,"latency_ms":5,"n":null ,"last":true}'
    const times = { eventTimeMs: start, processedTimeMs: start + 1_500, hasEnrichedFields: true }
    expect(new Enricher().enrich(Buffer.from(text), 0, text.length, times).toString()).toBe(
      '{"user_id" : "u\\u0031","big":12345678901234567890,"e":1.0E+2,"n":null,"last":true,' +
        '"processed_time":"2023-09-12T00:45:52.500Z","login_time":"2023-09-12T00:45:51.000Z","latency_ms":1500}',
    )
  })

  it('ends where the login does, whatever byte stands behind it in the batch', () => {
    const text = '{"user_id":"u","latency_ms":1}'
    const times = { eventTimeMs: start, processedTimeMs: start, hasEnrichedFields: true }
    const alone = new Enricher().enrich(Buffer.from(text), 0, text.length, times).toString()
    // A count of 17 headers is written as a quote.
    for (let byte = 0; byte < 256; byte++) {
      const bytes = Buffer.concat([Buffer.from(text), Buffer.from([byte]), Buffer.from('a":1,"b"}')])
      expect(new Enricher().enrich(bytes, 0, text.length, times).toString()).toBe(alone)
    }
  })

  it('stands a login that is nested deeply or large', () => {
    const deep = `${'[{"a":'.repeat(50_000)}1${'}]'.repeat(50_000)}`
    const text = `{"user_id":"u","latency_ms":1,"deep":${deep},"long":"${'x'.repeat(1 << 20)}"}`
    const times = { eventTimeMs: start, processedTimeMs: start, hasEnrichedFields: true }
    const written = new Enricher().enrich(Buffer.from(text), 0, text.length, times).toString()
    expect(written.startsWith('{"user_id":"u","deep":[{"a":')).toBe(true)
    expect(
      written.endsWith(
        'xxx","processed_time":"2023-09-12T00:45:51.000Z","login_time":"2023-09-12T00:45:51.000Z","latency_ms":0}',
      ),
    ).toBe(true)
  })
})

describe('a dead letter', () => {
  const error = { code: 'NOT_JSON', message: 'The value is not JSON in UTF-8.' } as const

  function recordOf(key: Buffer | null, value: Buffer | null, headers: Header[]): InvalidRecord {
    return { key, value, headers, topic: 'user-login', partition: 3, offset: 42, timestamp: start }
  }

  function texts(headers: readonly Header[]): [string, string | null][] {
    return headers.map(([name, value]) => [name, value?.toString() ?? null])
  }

  const added = [
    ['error', 'NOT_JSON'],
    ['error.message', 'The value is not JSON in UTF-8.'],
    ['source.topic', 'user-login'],
    ['source.partition', '3'],
    ['source.offset', '42'],
    ['source.timestamp', '1694479551000'],
  ]

  it('keeps key, value and headers, and adds where it is from and what is wrong', () => {
    const [key, value] = [Buffer.from('k'), Buffer.from([0xff, 0x00])]
    const own: Header[] = [
      ['error', Buffer.from('mine')],
      ['trace', null],
    ]
    const letter = deadLetter(recordOf(key, value, own), error, 1_000_000)
    expect(letter.key).toBe(key)
    expect(letter.value).toBe(value)
    expect(texts(letter.headers)).toEqual([['error', 'mine'], ['trace', null], ...added])
    expect(deadLetter(recordOf(null, null, []), error, 1_000_000)).toMatchObject({ key: null, value: null })
  })

  it('is cut to what fits, and says how large the value was', () => {
    const value = Buffer.alloc(2_000, 7)
    const letter = deadLetter(recordOf(Buffer.from('k'), value, [['h', Buffer.from('v')]]), error, 1_500)
    expect(value.subarray(0, letter.value!.length).equals(letter.value!)).toBe(true)
    expect(letter.value!.length).toBeGreaterThan(500)
    expect(texts(letter.headers)).toEqual([['h', 'v'], ...added, ['error.truncated', '2000']])
  })

  it('never exceeds the limit, whatever is large, and drops nothing where nothing must go', () => {
    const size = fc.oneof(fc.nat(100), fc.nat(5_000))
    const bytes = fc.option(size.map((n) => Buffer.alloc(n, 1)))
    const own = fc.array(
      fc.tuple(
        fc.string({ maxLength: 20 }).map((name) => `own ${name}`),
        bytes,
      ),
      { maxLength: 4 },
    )
    fc.assert(
      fc.property(bytes, bytes, own, (key, value, headers) => {
        const limit = 2_000
        const letter = deadLetter(recordOf(key, value, headers), error, limit)
        const sizeOf = (one: {
          key: Buffer | null
          value: Buffer | null
          headers: readonly Header[]
        }): number =>
          one.headers.reduce(
            (sum, [name, text]) => sum + Buffer.byteLength(name) + (text?.length ?? 0) + 10,
            (one.key?.length ?? 0) + (one.value?.length ?? 0) + 128,
          )
        expect(sizeOf(letter)).toBeLessThanOrEqual(limit)
        const names = letter.headers.slice(-3).map(([name]) => name)
        const whole = letter.value?.length === value?.length && letter.key?.length === key?.length
        const kept = letter.headers.filter((one) => (headers as Header[]).includes(one)).length
        expect(names.includes('error.truncated')).toBe(!whole || kept < headers.length)
        expect(letter.key === null).toBe(key === null)
        expect(letter.value === null).toBe(value === null)
      }),
    )
  })
})

describe('times of rows and enriched records', () => {
  it('are as Date writes them, in whatever order the days come', () => {
    const farthest = 8_640_000_000_000_000
    const anyTime = fc.integer({ min: -farthest, max: farthest })
    const ofToday = fc.integer({ min: start, max: start + 86_400_000 })
    fc.assert(
      fc.property(fc.array(fc.oneof(anyTime, ofToday)), (times) => {
        const isoTime = new IsoTime()
        const expected = times.map((time) => new Date(time).toISOString())
        expect(times.map((time) => isoTime.of(time))).toEqual(expected)
        expect(times.map((time) => isoTime.bytesOf(time).toString())).toEqual(expected)
        const mixed = times.map((time, n) =>
          n % 2 === 0 ? isoTime.of(time) : isoTime.bytesOf(time).toString(),
        )
        expect(mixed).toEqual(expected)
      }),
    )
  })
})
