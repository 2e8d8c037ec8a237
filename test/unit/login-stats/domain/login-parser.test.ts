import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../../../src/errors.ts'
import { parseDimensions } from '../../../../src/login-stats/domain/dimensions.ts'
import { LoginParser } from '../../../../src/login-stats/domain/login-parser.ts'

const sample =
  '{"user_id":"424cdd21-063a-43a7-b91b-7ca1a833afae","app_version":"2.3.0","device_type":"android",' +
  '"ip":"199.172.111.135","locale":"RU","device_id":"593-47-5928","timestamp":"1694479551"}'
const recordTimestamp = 1_694_479_600_000
const maxClockSkewMs = 300_000
const dimensionText = 'locale,device_type+app_version,__proto__'
const fields = ['locale', 'device_type', 'app_version', '__proto__']

type Verdict = { code: ErrorCode } | { eventTimeMs: number; values: string[]; hasEnrichedFields: boolean }

/** The rules of the contract over JSON.parse, written without regard to speed. */
function model(bytes: Buffer, timestamp = recordTimestamp): Verdict {
  const text = bytes.toString('utf8')
  if (!Buffer.from(text).equals(bytes)) return { code: 'NOT_JSON' }
  let object: Record<string, unknown>
  try {
    object = JSON.parse(text)
  } catch {
    return { code: 'NOT_JSON' }
  }
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return { code: 'NOT_JSON' }
  const get = (name: string): unknown => Object.getOwnPropertyDescriptor(object, name)?.value
  const userId = get('user_id')
  if (typeof userId !== 'string' || userId === '') return { code: 'USER_ID_INVALID' }
  const given = get('timestamp')
  const seconds =
    typeof given === 'number'
      ? given
      : typeof given === 'string' && /^[0-9]+([.][0-9]+)?$/.test(given)
        ? +given
        : NaN
  if (!Number.isFinite(seconds)) return { code: 'TIMESTAMP_INVALID' }
  const eventTimeMs = Number.isInteger(seconds) ? seconds * 1000 : Math.floor(Math.round(seconds * 1e6) / 1e3)
  if (eventTimeMs < Date.parse('2000-01-01T00:00:00Z')) return { code: 'TIMESTAMP_OUT_OF_RANGE' }
  if (eventTimeMs > timestamp + maxClockSkewMs) return { code: 'TIMESTAMP_OUT_OF_RANGE' }
  const values: string[] = []
  for (const field of fields) {
    const value = get(field) ?? ''
    if (typeof value !== 'string' || Buffer.byteLength(value) > 256) return { code: 'FIELD_INVALID' }
    values.push(value === '' ? 'unknown' : value.toWellFormed())
  }
  const hasEnrichedFields = ['processed_time', 'login_time', 'latency_ms'].some((name) =>
    Object.hasOwn(object, name),
  )
  return { eventTimeMs, values, hasEnrichedFields }
}

function newParser(): LoginParser {
  return new LoginParser({ dimensions: parseDimensions(dimensionText), maxClockSkewMs })
}

/** Parses the value between other bytes, as it stands in a fetch answer. */
function verdictOf(parser: LoginParser, value: Buffer, before: Buffer, after: Buffer): Verdict {
  const bytes = Buffer.concat([before, value, after])
  const code = parser.parse(bytes, before.length, before.length + value.length, recordTimestamp)
  if (code !== null) return { code }
  const values = parser.fields.map((_, field) => {
    const text = parser.bytes.toString('utf8', parser.starts[field], parser.ends[field])
    return text === '' ? 'unknown' : text
  })
  return { eventTimeMs: parser.eventTimeMs, values, hasEnrichedFields: parser.hasEnrichedFields }
}

const surroundings = fc.constantFrom(
  ...['', '"', '}', ' ', '0', 'e5', '"}', ',"locale":"XX"}', '\u0000', '  \n'].map((text) =>
    Buffer.from(text),
  ),
)

/** A parser that has learnt shapes, and one that has not, must both agree with the model. */
function expectAgreement(
  value: Buffer,
  before = Buffer.alloc(0),
  after = Buffer.alloc(0),
  parser = newParser(),
): void {
  const expected = model(value)
  expect(verdictOf(parser, value, before, after)).toEqual(expected)
  expect(verdictOf(parser, value, before, after)).toEqual(expected)
  expect(verdictOf(experienced, value, before, after)).toEqual(expected)
}

const experienced = newParser()
experienced.parse(Buffer.from(sample), 0, sample.length, recordTimestamp)

const names = fc.constantFrom(
  ...[
    'user_id',
    'timestamp',
    'locale',
    'device_type',
    'app_version',
    '__proto__',
    'processed_time',
    'latency_ms',
  ],
  ...['login_time', 'x', '', 'locales', 'us\\u0065r_id', 'toString', 'ключ'],
)
const numberTexts = fc.oneof(
  fc.double().filter(Number.isFinite).map(String),
  fc.integer({ min: 1_694_000_000, max: 1_694_500_000 }).map(String),
  fc.constantFrom(
    '1694479551.25',
    '1.694479551e9',
    '1E400',
    '-0',
    '01',
    '1.',
    '.5',
    '-',
    '1e',
    '+1',
    '1694479551.001',
  ),
  fc.constantFrom(
    '946684800',
    '946684799.9999999',
    '946684799',
    '1694479900',
    '1694479900.001',
    '999999999999999999',
  ),
)
const valueTexts = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('"RU"', '"android"', '""', 'null', '"unknown"', '"a+b:%"', '"Málaga"'),
  },
  { weight: 4, arbitrary: fc.integer({ min: 1_694_470_000, max: 1_694_480_500 }).map((n) => `"${n}"`) },
  { weight: 2, arbitrary: numberTexts },
  { weight: 2, arbitrary: numberTexts.map((text) => `"${text}"`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('true', 'false', 'nul', '[]', '{"locale":"XX"}', '[[[1,{}]]]', 'NaN'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('"0x65"', '" 1694479551"', '"\\ud800"', '"\\n"', '"\u007f"', '"\t"', '"1e9"'),
  },
  { weight: 1, arbitrary: fc.constantFrom(255, 256, 257).map((n) => `"${'v'.repeat(n)}"`) },
  { weight: 1, arbitrary: fc.constantFrom(127, 128, 129).map((n) => `"${'é'.repeat(n)}"`) },
  { weight: 1, arbitrary: fc.json() },
)
const blanks = fc.constantFrom('', '', '', ' ', '\n', '\t \r\n', '\u00a0', '\ufeff')
const members = fc
  .array(fc.tuple(names, valueTexts, blanks), { maxLength: 8 })
  .map((list) => list.map(([name, text, blank]) => `${blank}"${name}"${blank}:${blank}${text}${blank}`))

describe('LoginParser', () => {
  it('reads the sample without JSON.parse', () => {
    const parser = newParser()
    expect(parser.parse(Buffer.from(sample), 0, sample.length, recordTimestamp)).toBeNull()
    expect(parser.eventTimeMs).toBe(1_694_479_551_000)
    expect(parser.slowParses).toBe(0)
  })

  it('agrees with JSON.parse and the rules on objects of all kinds', () => {
    const lead = '"user_id":"u","timestamp":"1694479551"'
    fc.assert(
      fc.property(
        members,
        fc.boolean(),
        blanks,
        surroundings,
        surroundings,
        (list, withLead, blank, before, after) => {
          const text = `${blank}{${(withLead ? [lead, ...list] : list).join(',')}}${blank}`
          expectAgreement(Buffer.from(text), before, after)
        },
      ),
      { numRuns: 4_000 },
    )
  })

  it('agrees with JSON.parse and the rules on mutated bytes of real logins', () => {
    const interesting = fc.constantFrom(
      ...Buffer.from('"\\{}[],:0129-.eEnu \t\n\u0000\u00ff\u007f'),
      0x80,
      0xc3,
      0xed,
      0xff,
    )
    const mutation = fc.tuple(
      fc.nat(sample.length - 1),
      fc.constantFrom('set', 'insert', 'delete', 'cut'),
      interesting,
    )
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), surroundings, (mutations, after) => {
        let bytes = Buffer.from(sample)
        for (const [at, kind, byte] of mutations) {
          const rest = bytes.subarray(kind === 'insert' ? at : at + 1)
          const middle = kind === 'delete' || kind === 'cut' ? Buffer.alloc(0) : Buffer.of(byte)
          bytes = Buffer.concat(
            kind === 'cut' ? [bytes.subarray(0, at)] : [bytes.subarray(0, at), middle, rest],
          )
        }
        const parser = newParser()
        parser.parse(Buffer.from(sample), 0, sample.length, recordTimestamp)
        expectAgreement(bytes, Buffer.alloc(0), after, parser)
      }),
      { numRuns: 4_000 },
    )
  })

  it('agrees with JSON.parse and the rules on arbitrary JSON and arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.json(), (text) => expectAgreement(Buffer.from(text))),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => expectAgreement(Buffer.from(bytes))),
      { numRuns: 500 },
    )
  })

  it('agrees whatever records it has learnt shapes from', () => {
    const record = members.map((list) =>
      Buffer.from(`{"user_id":"u","timestamp":"1694479551"${list.map((member) => `,${member}`).join('')}}`),
    )
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 4 }),
        fc.array(fc.nat(3), { maxLength: 12 }),
        (pool, order) => {
          const parser = newParser()
          for (const index of order) {
            const value = pool[index] ?? Buffer.from(sample)
            expect(verdictOf(parser, value, Buffer.alloc(0), Buffer.alloc(0))).toEqual(model(value))
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it.each([
    ['a byte-order mark', `\ufeff${sample}`],
    ['duplicate names, of which the last counts', sample.replace('{', '{"locale":7,"user_id":"",')],
    ['a duplicate that makes it invalid', sample.replace('}', ',"locale":7}')],
    ['__proto__ as a field', sample.replace('}', ',"__proto__":"p"}')],
    ['__proto__ as an object', sample.replace('}', ',"__proto__":{"locale":"XX"}}')],
    ['deep nesting', sample.replace('}', `,"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)],
    ['a field of 1 MB that is not counted', sample.replace('}', `,"x":"${'x'.repeat(1 << 20)}"}`)],
    ['a counted field of 1 MB', sample.replace('RU', 'R'.repeat(1 << 20))],
    ['a counted field of 1 MB with escapes', sample.replace('RU', '\\n'.repeat(1 << 19))],
    ['a lone surrogate', sample.replace('RU', '\\ud800')],
    ['an escaped pair of surrogates', sample.replace('RU', '\\ud83d\\ude00')],
    [
      'encoded surrogates',
      Buffer.from(sample.replace('RU', '\u0001')).map((byte) => (byte === 1 ? 0xed : byte)),
    ],
    ['an empty object', '{}'],
    ['an empty value', ''],
    ['an array', '[]'],
    ['null', 'null'],
  ])('agrees with JSON.parse and the rules on %s', (_, value) => {
    expectAgreement(Buffer.from(value as string))
  })

  it.each([
    ['1694479551', 1_694_479_551_000],
    ['1694479551.001', 1_694_479_551_001],
    ['1694479551.0019', 1_694_479_551_001],
    ['1694479551.9999', 1_694_479_551_999],
    ['00001694479551', 1_694_479_551_000],
    ['1694479900', 1_694_479_900_000],
  ])('takes the timestamp "%s" as %d', (text, expected) => {
    const value = Buffer.from(sample.replace('1694479551', text))
    const parser = newParser()
    expect(parser.parse(value, 0, value.length, recordTimestamp)).toBeNull()
    expect(parser.eventTimeMs).toBe(expected)
  })

  it.each([
    '',
    ' ',
    '0x65000000',
    '1e9',
    '+1694479551',
    '-1',
    '1694479551 ',
    '1694479551.',
    '.5',
    'NaN',
    '9'.repeat(400),
  ])('refuses the timestamp "%s"', (text) => {
    const value = Buffer.from(sample.replace('1694479551', text))
    expect(newParser().parse(value, 0, value.length, recordTimestamp)).toBe('TIMESTAMP_INVALID')
  })

  it('judges the future by the record, not by a clock', () => {
    const value = Buffer.from(sample)
    const eventTime = 1_694_479_551_000
    expect(newParser().parse(value, 0, value.length, eventTime - maxClockSkewMs)).toBeNull()
    expect(newParser().parse(value, 0, value.length, eventTime - maxClockSkewMs - 1)).toBe(
      'TIMESTAMP_OUT_OF_RANGE',
    )
  })

  it('says what is wrong without showing the content', () => {
    const parser = newParser()
    const secret = 'hunter2'
    for (const text of [secret, `{"user_id":7,"x":"${secret}"}`, sample.replace('1694479551', secret)]) {
      expect(parser.parse(Buffer.from(text), 0, text.length, recordTimestamp)).not.toBeNull()
      expect(parser.problem).toMatch(/^.+\.$/)
      expect(parser.problem).not.toContain(secret)
    }
    expect(parser.parse(Buffer.alloc(0), -1, -1, recordTimestamp)).toBe('NOT_JSON')
  })
})
