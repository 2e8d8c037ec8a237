import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Letter } from '../../../../src/login-stats/dead-letters/letters.ts'
import {
  decide,
  type KnownProgress,
  markAfter,
} from '../../../../src/login-stats/dead-letters/replay-decision.ts'
import {
  decodeMark,
  encodeMark,
  isRepetition,
  noMark,
  type ReplayMark,
} from '../../../../src/login-stats/dead-letters/replay-progress.ts'

const start = 1_700_000_000_000

interface Shape {
  readonly offset: number
  readonly source?: number
  readonly code?: string
  readonly time?: number
  readonly topic?: string
  readonly truncated?: number
}

function letterOf({ offset, source = offset, code = 'NOT_JSON', time = start, ...rest }: Shape): Letter {
  const { topic = 'user-login', truncated = null } = rest
  const origin = { code, message: '', topic, partition: 0, offset: source, timestamp: time + source }
  return {
    ...{ partition: 0, offset, timestamp: time, key: null, value: null, headers: [] },
    origin: { ...origin, ownHeaders: [], truncated },
  }
}

const rules = { inputTopic: 'user-login', code: null, repeated: 'ask' as const }
const known = (plain: ReplayMark | null, codes: Record<string, ReplayMark> = {}): KnownProgress => ({
  plain,
  ofCode: (code) => codes[code] ?? null,
  all: [...(plain === null ? [] : [plain]), ...Object.values(codes)],
})

describe('a letter', () => {
  const letter = letterOf({ offset: 10 })
  const behind = { ...noMark, offset: 11 }

  it.each([
    ['is replayed if nobody has done so', letter, known(null), rules, 'replay'],
    ['is done if a plain replay has passed it', letter, known(behind), rules, 'done'],
    ['is done if one of its code has', letter, known(noMark, { NOT_JSON: behind }), rules, 'done'],
    [
      'is repeated if a replay has passed its record by another letter',
      ...[letter, known({ ...noMark, source: 10, time: start + 10 }), rules, 'repeated' as const],
    ],
    [
      'that is repeated is replayed if the user wants it',
      letter,
      known({ ...noMark, source: 10, time: start + 10 }),
      { ...rules, repeated: 'write' as const },
      'replay',
    ],
    [
      'is repeated even so if the replay that writes them has passed its record itself, before it was killed',
      letter,
      known({ ...noMark, offset: 9, vouched: { source: 10, time: start + 10 } }),
      { ...rules, repeated: 'write' as const },
      'repeated',
    ],
    ['is not done by one of another code', letter, known(noMark, { FIELD_INVALID: behind }), rules, 'replay'],
    [
      'is not repeated by a replay of another code that has passed it',
      letter,
      known(null, { FIELD_INVALID: { ...behind, source: 10, time: start + 10 } }),
      ...[rules, 'replay' as const],
    ],
    [
      'is repeated if a replay of another code had passed its record before',
      letter,
      known(null, { FIELD_INVALID: { ...noMark, offset: 9, source: 10, time: start + 10 } }),
      ...[rules, 'repeated' as const],
    ],
    ['of another code is left out', letter, known(noMark), { ...rules, code: 'FIELD_INVALID' }, 'other-code'],
    ['of another input is left out', letterOf({ offset: 1, topic: 'x' }), known(noMark), rules, 'foreign'],
    ['that nobody of us has made is left out', { ...letter, origin: null }, known(noMark), rules, 'foreign'],
    ['that is cut is left out', letterOf({ offset: 10, truncated: 5 }), known(noMark), rules, 'truncated'],
    [
      'of long ago is replayed all the same',
      letterOf({ offset: 10, time: 5 }),
      known(noMark),
      rules,
      'replay',
    ],
  ] as const)('%s', (_what, given, progress, used, expected) => {
    expect(decide(given, progress, used)).toBe(expected)
  })
})

describe('a record of progress', () => {
  const info = (name: string, topicId: string) => ({ name, topicId, partitionCount: 1 })
  const topics = {
    ...{ dlq: info('dlq', 'D1'), inputTopic: 'user-login', input: info('user-login', 'I1') },
    progress: 'app-dlq-replay',
  }
  const vouched = { source: 20, time: start - 1 }
  const mark = { offset: 7, source: 40, time: start, again: [{ offset: 5, source: 30 }], vouched }
  const place = { dlq: 'dlq', input: 'user-login', code: 'NOT_JSON', partition: 3 }
  const written = encodeMark('NOT_JSON', 3, mark, topics)
  const ofInput = { ...mark, offset: 0, again: [], vouched: null }
  const read = (now = topics, end = 9) => decodeMark(written.key, written.value, now, () => end)

  it('gives the mark back, of one code and of all', () => {
    expect(read()).toEqual({ place, mark })
    const ofAll = encodeMark(null, 0, mark, topics)
    expect(decodeMark(ofAll.key, ofAll.value, topics, () => 9)?.place).toMatchObject({
      code: null,
      partition: 0,
    })
    expect(ofAll.key).not.toEqual(written.key)
  })

  it('of a topic that was made again counts for what is the same', () => {
    expect(read({ ...topics, dlq: info('dlq', 'D2') })?.mark).toEqual(ofInput)
    const newInput = { ...topics, input: info('user-login', 'I2') }
    expect(read(newInput)?.mark).toEqual({ ...noMark, offset: 7 })
  })

  it('of another dead-letter topic counts for the input alone, and has a place of its own', () => {
    const others = { ...topics, dlq: info('dlq2', 'D2') }
    expect(read(others)).toEqual({ place, mark: ofInput })
    expect(encodeMark('NOT_JSON', 3, mark, others).key).not.toEqual(written.key)
  })

  it('of another input says nothing, and has a place of its own', () => {
    const others = { ...topics, inputTopic: 'other', input: info('other', 'I3') }
    expect(read(others)).toBeNull()
    expect(encodeMark('NOT_JSON', 3, mark, others).key).not.toEqual(written.key)
  })

  it('beyond the end of the topic counts for the input alone', () => {
    expect(read(topics, 6)?.mark).toEqual(ofInput)
    expect(read(topics, 7)?.mark).toEqual(mark)
  })

  const changed = (part: object) =>
    Buffer.from(JSON.stringify({ ...JSON.parse(String(written.value)), ...part }))

  it('of an older program vouches for nothing', () => {
    const older = decodeMark(written.key, changed({ vouched: undefined }), topics, () => 9)
    expect(older?.mark).toEqual({ ...mark, vouched: null })
  })

  it.each([
    ['no key', null, written.value],
    ['no JSON', written.key, Buffer.from('x')],
    ['no value', written.key, null],
    ['another key', Buffer.from('{"code":1}'), written.value],
    ['an offset of nothing', written.key, changed({ offset: null })],
    ['an offset below 0', written.key, changed({ offset: -1 })],
    ['no version', written.key, changed({ version: undefined })],
  ])('with %s is no record of ours, and not passed over', (_what, key, value) => {
    expect(() => decodeMark(key, value, topics, () => 9)).toThrow(
      expect.objectContaining({ code: 'CORRUPT_BATCH' }),
    )
  })

  it('of a newer version is refused, whatever it holds', () => {
    const newer = Buffer.from('{"version":2,"marks":[]}')
    expect(() => decodeMark(written.key, newer, topics, () => 9)).toThrow(
      expect.objectContaining({ code: 'FORMAT_TOO_NEW' }),
    )
  })
})

/**
 * The model: dead records of one input partition; the letters of them stand in the topic once, and from a record on once more whenever
 * the input is read again, maybe with another code; retention deletes the oldest. Replays of all kinds come in between, some with a limit.
 */
describe('replays', () => {
  const codes = ['NOT_JSON', 'FIELD_INVALID', 'USER_ID_INVALID']
  const step = fc.oneof(
    fc.record({ what: fc.constant('records' as const), count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ what: fc.constant('deleted' as const), share: fc.constantFrom(0.4, 0.8, 1) }),
    fc.record({ what: fc.constant('again' as const), share: fc.constantFrom(0, 0, 0.3, 0.7) }),
    fc.record({
      what: fc.constant('replay' as const),
      code: fc.constantFrom(null, ...codes),
      limit: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 4 })),
      repeated: fc.constantFrom('ask' as const, 'skip' as const),
    }),
  )

  it('write each record back at most once, and all of them in the end, but for letters that were deleted before', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30 }),
        fc.infiniteStream(fc.constantFrom(...codes)),
        (steps, kinds) => {
          let records = 0
          const letters: Letter[] = []
          let start = 0
          const marks = new Map<string | null, ReplayMark>()
          const copies = new Map<number, number>()
          // When the input is read once more, another code may be given to the same record.
          const write = (source: number) => {
            const [code = ''] = kinds.take(1)
            letters.push(letterOf({ offset: letters.length * 2, source, code }))
          }
          const replay = (code: string | null, limit: number, repeated: 'ask' | 'skip') => {
            const progress = known(marks.get(null) ?? null, Object.fromEntries(marks))
            let mark = marks.get(code) ?? noMark
            let written = 0
            for (const letter of letters.slice(start).filter(({ offset }) => offset >= mark.offset)) {
              if (written === limit) break
              const decision = decide(letter, progress, { ...rules, code, repeated }, mark)
              if (decision === 'repeated' && repeated === 'ask') break
              if (decision === 'replay') {
                written++
                const source = letter.origin?.offset ?? -1
                copies.set(source, (copies.get(source) ?? 0) + 1)
              }
              mark = markAfter(mark, letter, decision)
            }
            marks.set(code, mark)
          }
          for (const one of steps) {
            if (one.what === 'records') for (let left = one.count; left > 0; left--) write(records++)
            else if (one.what === 'again')
              for (let source = Math.floor(one.share * records); source < records; source++) write(source)
            else if (one.what === 'deleted') start += Math.floor(one.share * (letters.length - start))
            else replay(one.code, one.limit, one.repeated)
          }
          replay(null, Number.POSITIVE_INFINITY, 'skip')
          expect([...copies.values()].every((count) => count === 1)).toBe(true)
          if (start === 0) expect(copies.size).toBe(records)
          const mark = marks.get(null) ?? noMark
          for (const letter of letters.slice(start))
            expect(letter.offset < mark.offset || isRepetition(mark, letter)).toBe(true)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
