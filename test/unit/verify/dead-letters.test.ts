import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DeadLetters } from '../../../src/verify/dead-letters.ts'
import { Differences } from '../../../src/verify/differences.ts'
import type { KafkaRecord } from '../../../src/verify/record-batch.ts'

interface Letter {
  /** Where it is. */
  readonly partition: number
  /** What it names. */
  readonly source: readonly [partition: number, offset: number]
  readonly value: string
  readonly truncated?: boolean
  readonly topic?: string
  /** What it has instead of what it should have. */
  readonly change?: Readonly<Record<string, string | null>>
}

/** Of every invalid record. */
const ownHeaders: readonly (readonly [string, Buffer | null])[] = [
  ['source.offset', Buffer.from('forged by the sender')],
  ['own', null],
]

function invalid(offset: number, value: string, timestamp = 0): KafkaRecord {
  return { offset, timestamp, key: null, value: Buffer.from(value), headers: ownHeaders }
}

function letter(
  { source, value, truncated, topic = 'in', change = {} }: Letter,
  offset: number,
): KafkaRecord {
  const added = {
    ...{ error: 'NOT_JSON', 'error.message': 'no', 'source.topic': topic },
    ...{ 'source.partition': `${source[0]}`, 'source.offset': `${source[1]}`, 'source.timestamp': '0' },
    ...(truncated === true ? { 'error.truncated': '9' } : {}),
  }
  const headers = [...ownHeaders, ...Object.entries(added)].flatMap(([name, bytes]) => {
    const value = change[name] === undefined ? bytes : change[name]
    return value === null && name !== 'own'
      ? []
      : [[name, value === null ? null : Buffer.from(value)] as const]
  })
  return { ...invalid(offset, value), headers }
}

/** Compares letters with invalid records, given by partition as offset and value. */
function judge(
  letters: readonly Letter[],
  input: readonly (readonly (readonly [offset: number, value: string])[])[],
  options: { starts?: number[]; ends?: number[]; mostStrays?: number } = {},
) {
  const differences = new Differences()
  const { starts = input.map(() => 0), ends = input.map(() => 10), ...rest } = options
  const judged = new DeadLetters({ inputTopic: 'in', starts, ends, differences, ...rest })
  const records = letters.map((one, offset) => [letter(one, offset), one.partition] as const)
  for (const [record, partition] of records) judged.survey(record, partition)
  for (const [partition, ofPartition] of input.entries()) {
    const left = records.filter(([, other]) => other === partition)
    for (const [offset, value] of ofPartition) {
      while (left.length > 0 && !judged.isMergedBeyond(partition, offset)) judged.merge(...left.shift()!)
      judged.addInvalid(invalid(offset, value), partition)
    }
    for (const one of left) judged.merge(...one)
  }
  judged.finish()
  return { judged, differences }
}

const one: Letter = { partition: 0, source: [0, 3], value: 'x' }

describe('DeadLetters', () => {
  it('are each there once, unchanged, up to the committed offsets', () => {
    const { judged, differences } = judge(
      [one, { ...one, source: [0, 12], value: 'y' }, { ...one, topic: 'other' }],
      [
        [
          [3, 'x'],
          [11, 'z'],
        ],
      ],
    )
    expect(judged).toMatchObject({ expected: 1, found: 1 })
    expect(differences.first).toEqual([])
  })

  it.each([
    ['is missing', [], 'times', 1, 0],
    ['is there twice', [one, one], 'times', 1, 2],
    ['is in another partition', [{ ...one, partition: 1 }], 'partition', 0, 1],
    ['is there twice, once in another partition', [{ ...one, partition: 1 }, one], 'times', 1, 2],
  ])('are wrong where one %s', (_, letters, what, expected, found) => {
    const { differences } = judge(letters, [[[3, 'x']], []])
    expect(differences.first).toMatchObject([{ key: '0:3', what, expected, found }])
    expect(differences.first[0]?.records).toHaveLength(letters.length)
  })

  it('are wrong where the bytes have changed, unless the record says that it was cut', () => {
    expect(judge([one], [[[3, 'xy']]]).differences.first).toMatchObject([{ what: 'bytes' }])
    expect(judge([{ ...one, truncated: true }], [[[3, 'xy']]]).differences.first).toEqual([])
  })

  it.each([
    ['own headers', { own: 'x' }],
    ['time', { 'source.timestamp': '1' }],
    ['reason', { error: null }],
    ['reason, but not its header,', { error: '' }],
  ])('are wrong where the %s of the record changed or went', (_, change) => {
    expect(judge([{ ...one, change }], [[[3, 'x']]]).differences.first).toMatchObject([
      { what: 'headers', key: '0:3', expected: expect.any(String), found: expect.any(String) },
    ])
  })

  it('are wrong for a record that is valid, but not for one that is gone', () => {
    const letters = [one, { ...one, source: [0, 5] as const }]
    expect(judge(letters, [[]], { starts: [4] }).differences.first).toMatchObject([
      { key: '0:5', expected: 0, found: 1, records: [{ partition: 0, offset: 1 }] },
    ])
  })

  it('keep only a number of those out of order, and count the others', () => {
    const { judged, differences } = judge([one, one, one, one], [[[3, 'x']]], { mostStrays: 1 })
    expect(judged.untold).toBe(2)
    expect(differences.byKind).toEqual({ 'dead letters times': 1, 'dead letters order': 2 })
  })

  it('are found wrong as by a comparison that holds all of them', () => {
    const place = fc.tuple(fc.nat(1), fc.nat(9))
    const letters = fc.array(
      fc.record({ partition: fc.nat(1), source: place, value: fc.constantFrom('x', 'y') }),
    )
    const offsets = fc.uniqueArray(fc.nat(9)).map((list) => list.sort((a, b) => a - b))
    fc.assert(
      fc.property(letters, offsets, offsets, fc.boolean(), (given, first, second, sorted) => {
        const input = [first, second].map((list) => list.map((offset) => [offset, 'x'] as const))
        const all = sorted ? given.toSorted((a, b) => a.source[1] - b.source[1]) : given
        const { judged, differences } = judge(all, input)
        const wrong = new Map<string, number>()
        for (const [partition, list] of input.entries())
          for (let offset = 0; offset < 10; offset++) {
            const found = all.filter(({ source }) => source[0] === partition && source[1] === offset).length
            const expected = list.some(([at]) => at === offset) ? 1 : 0
            if (found !== expected) wrong.set(`${partition}:${offset}`, found)
          }
        const times = differences.first.filter(({ what }) => what === 'times')
        expect(new Map(times.map(({ key, found }) => [key, found]))).toEqual(wrong)
        expect(judged.found).toBe(all.length)
        expect(judged.expected).toBe(first.length + second.length)
      }),
    )
  })

  it.each([
    [1.7e18, 2 ** 52],
    [-9e18, -(2 ** 52)],
  ])('tell the time of a record of %d ms as far as such times are held', (timestamp, held) => {
    const differences = new Differences()
    const judged = new DeadLetters({ inputTopic: 'in', starts: [0], ends: [10], differences })
    const found = letter({ ...one, change: { 'source.timestamp': String(held) } }, 0)
    judged.survey(found, 0)
    judged.merge(found, 0)
    judged.addInvalid(invalid(3, 'x', timestamp), 0)
    judged.finish()
    expect(differences.first).toEqual([])
  })
})
