import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Letter } from '../../../../src/login-stats/dead-letters/letters.ts'
import { decide, type KnownProgress } from '../../../../src/login-stats/dead-letters/replay-decision.ts'
import {
  commitOf,
  isRepetition,
  markAfter,
  markOf,
  type ReplayMark,
} from '../../../../src/login-stats/dead-letters/replay-progress.ts'

const start = 1_700_000_000_000
const week = 7 * 24 * 3_600_000
const none: ReplayMark = { offset: 0, source: -1, time: -1, since: 0 }

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

const rules = {
  ...{ inputTopic: 'user-login', code: null, now: start + 1000 },
  ...{ isNeverReplayed: false, isRepeatedWanted: false },
}
const known = (plain: ReplayMark | null, codes: Record<string, ReplayMark> = {}): KnownProgress => ({
  plain,
  ofCode: (code) => codes[code] ?? null,
})

describe('a letter', () => {
  const letter = letterOf({ offset: 10 })
  const behind = { ...none, offset: 11 }

  it.each([
    ['is replayed if nobody has done so', letter, known(null), rules, 'replay'],
    ['is done if a plain replay has passed it', letter, known(behind), rules, 'done'],
    ['is done if one of its code has', letter, known(none, { NOT_JSON: behind }), rules, 'done'],
    [
      'is repeated if a replay has passed its record by another letter',
      ...[letter, known({ ...none, source: 10, time: start + 10 }), rules, 'repeated' as const],
    ],
    [
      'that is repeated is replayed if the user wants it',
      letter,
      known({ ...none, source: 10, time: start + 10 }),
      { ...rules, isRepeatedWanted: true },
      'replay',
    ],
    ['is not done by one of another code', letter, known(none, { FIELD_INVALID: behind }), rules, 'replay'],
    ['of another code is left out', letter, known(none), { ...rules, code: 'FIELD_INVALID' }, 'other-code'],
    ['of another input is left out', letterOf({ offset: 1, topic: 'x' }), known(none), rules, 'foreign'],
    ['that nobody of us has made is left out', { ...letter, origin: null }, known(none), rules, 'foreign'],
    ['that is cut is left out', letterOf({ offset: 10, truncated: 5 }), known(none), rules, 'truncated'],
    ['older than a week is unsure', letter, known(null), { ...rules, now: start + week }, 'unsure'],
    [
      'older than a week is unsure where the progress of its code is unknown',
      ...[letter, known(none), { ...rules, now: start + week }, 'unsure' as const],
    ],
    [
      'older than a week is replayed where both are known',
      ...[letter, known(none, { NOT_JSON: none }), { ...rules, now: start + week }, 'replay' as const],
    ],
    [
      'older than a week is replayed if the user vouches for it',
      ...[letter, known(null), { ...rules, now: start + week, isNeverReplayed: true }, 'replay' as const],
    ],
    [
      'older than what a group knows of is unsure',
      ...[letter, known({ ...none, since: start + 1 }, { NOT_JSON: none }), rules, 'unsure' as const],
    ],
    [
      'older than a week may be known to be done',
      letter,
      known(behind),
      { ...rules, now: start + week },
      'done',
    ],
  ] as const)('%s', (_what, given, progress, used, expected) => {
    expect(decide(given, progress, used)).toBe(expected)
  })
})

describe('a commit', () => {
  const info = (name: string, topicId: string) => ({ name, topicId, partitionCount: 1 })
  const topics = { dlq: info('dlq', 'D1'), input: info('user-login', 'I1') }
  const mark = { offset: 7, source: 40, time: start, since: 5 }
  const commit = commitOf(topics, 0, mark)

  it('gives the mark back', () => {
    expect(markOf(commit, topics, 9)).toEqual(mark)
  })

  it('of a topic that was made again counts for what is the same', () => {
    const newDlq = { ...topics, dlq: info('dlq', 'D2') }
    expect(markOf(commit, newDlq, 9)).toEqual({ ...mark, offset: 0, since: 0 })
    const newInput = { ...topics, input: info('user-login', 'I2') }
    expect(markOf(commit, newInput, 9)).toEqual({ offset: 7, source: -1, time: -1, since: 5 })
    expect(markOf(commit, { ...topics, input: null }, 9)).toEqual({ ...mark, source: -1, time: -1 })
  })

  it('beyond the end of the topic counts for the input alone', () => {
    expect(markOf(commit, topics, 6)).toEqual({ ...mark, offset: 0, since: 0 })
  })

  it.each(['', 'x', '[]', 'null', '5', '{"dlq":7}'])('with the metadata %o of somebody else', (metadata) => {
    const found = markOf({ ...commit, metadata }, topics, 9)
    expect(found.source).toBe(-1)
    expect([0, 7]).toContain(found.offset)
  })

  it('that was put there by hand is believed', () => {
    expect(markOf({ ...commit, metadata: '' }, topics, 9)).toEqual({ ...none, offset: 7 })
  })
})

/**
 * The model: records of one input partition, some of which are dead; the letters of them stand in the topic once, and from a
 * record on once more whenever the input is read again. Replays of all kinds come in between, some with a limit.
 */
describe('replays', () => {
  const codes = ['NOT_JSON', 'FIELD_INVALID', 'USER_ID_INVALID']
  const step = fc.oneof(
    fc.record({ what: fc.constant('records' as const), count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ what: fc.constant('again' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({
      what: fc.constant('replay' as const),
      code: fc.constantFrom(null, ...codes),
      limit: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 4 })),
    }),
  )

  it('write each record back at most once, and all of them in the end', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30 }),
        fc.infiniteStream(fc.constantFrom(...codes)),
        (steps, kinds) => {
          const records: string[] = []
          const letters: Letter[] = []
          const marks = new Map<string | null, ReplayMark>()
          const copies = new Map<number, number>()
          const write = (source: number) => {
            letters.push(letterOf({ offset: letters.length * 2, source, code: records[source] ?? '' }))
          }
          const replay = (code: string | null, limit: number) => {
            const progress = known(marks.get(null) ?? null, Object.fromEntries(marks))
            let mark = marks.get(code) ?? none
            let written = 0
            for (const letter of letters.filter(({ offset }) => offset >= mark.offset)) {
              if (written === limit) break
              const decision = decide(letter, progress, { ...rules, code }, mark)
              if (decision === 'replay') {
                written++
                const source = letter.origin?.offset ?? -1
                copies.set(source, (copies.get(source) ?? 0) + 1)
              }
              mark =
                decision === 'other-code' || decision === 'foreign'
                  ? { ...mark, offset: letter.offset + 1 }
                  : markAfter(mark, letter)
            }
            marks.set(code, mark)
          }
          for (const one of steps) {
            if (one.what === 'records')
              for (const code of [...kinds.take(one.count)]) write(records.push(code) - 1)
            else if (one.what === 'again')
              for (let source = Math.floor(one.share * records.length); source < records.length; source++)
                write(source)
            else replay(one.code, one.limit)
          }
          replay(null, Number.POSITIVE_INFINITY)
          expect([...copies.values()].every((count) => count === 1)).toBe(true)
          expect(copies.size).toBe(records.length)
          const mark = marks.get(null) ?? none
          for (const letter of letters)
            expect(letter.offset < mark.offset || isRepetition(mark, letter)).toBe(true)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
