/** A dead letter taken apart again: what `deadLetter` adds, `originOf` takes away. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deadLetter, type InvalidRecord, originOf } from '../../../../src/login-stats/domain/dead-letter.ts'
import type { Header } from '../../../../src/ports/kafka.ts'

const error = { code: 'NOT_JSON', message: 'The value is null.' } as const
const ours = [
  'error',
  'error.message',
  'source.topic',
  'source.partition',
  'source.offset',
  'source.timestamp',
  'error.truncated',
  'error.truncated.headers',
  'error.truncated.key',
]
const bytes = fc.option(fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)))
/** Names of its own, and ours: a record may have been a dead letter of somebody else. */
const header: fc.Arbitrary<Header> = fc.tuple(fc.oneof(fc.constantFrom(...ours), fc.string()), bytes)
const record: fc.Arbitrary<InvalidRecord> = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.array(header, { maxLength: 12 }),
  topic: fc.constantFrom('user-login', 'a.b_c-d'),
  partition: fc.nat(),
  offset: fc.maxSafeNat(),
  timestamp: fc.integer({ min: -1, max: 2 ** 52 }),
})

describe('a dead letter', () => {
  it('gives the record back, byte for byte, whatever headers that had', () => {
    fc.assert(
      fc.property(record, (invalid) => {
        const letter = deadLetter(invalid, error, 1_000_000)
        const { key, value, headers, ...place } = invalid
        expect(letter).toMatchObject({ key, value })
        expect(originOf(letter.headers)).toEqual({
          ...error,
          ...place,
          ownHeaders: headers,
          truncated: null,
        })
      }),
      { numRuns: 1000 },
    )
  })

  it('says so where anything of it was cut', () => {
    fc.assert(
      fc.property(record, fc.integer({ min: 250, max: 900 }), (invalid, limit) => {
        const letter = deadLetter(invalid, error, limit)
        const origin = originOf(letter.headers)
        const isWhole =
          letter.key?.length === invalid.key?.length &&
          letter.value?.length === invalid.value?.length &&
          origin?.ownHeaders.length === invalid.headers.length
        expect(origin?.offset).toBe(invalid.offset)
        if (!isWhole) expect(origin?.truncated).toBe(invalid.value?.length ?? 0)
        if (origin?.truncated === null) expect(origin.ownHeaders).toEqual(invalid.headers)
        // No header of ours is taken for one of the record's.
        expect(invalid.headers).toEqual(expect.arrayContaining([...(origin?.ownHeaders ?? [])]))
      }),
      { numRuns: 1000 },
    )
  })

  it('is not seen in a record that somebody else has written', () => {
    const { headers } = deadLetter(
      { key: null, value: null, headers: [], topic: 't', partition: 1, offset: 2, timestamp: 3 },
      error,
      1_000_000,
    )
    expect(originOf(headers)).not.toBeNull()
    expect(originOf([])).toBeNull()
    expect(originOf(headers.slice(1))).toBeNull()
    expect(originOf(headers.toReversed())).toBeNull()
    expect(originOf([...headers, ['trace', null]])).toBeNull()
    expect(originOf([...headers, ['error.truncated.key', Buffer.from('5')]])).toBeNull()
    const changed = (name: string, text: string) =>
      originOf(headers.map((one): Header => (one[0] === name ? [name, Buffer.from(text)] : one)))
    expect(changed('source.offset', '12')).toMatchObject({ offset: 12 })
    for (const text of ['', '-1', '1.5', '1e3', 'x', '99999999999999999999'])
      expect(changed('source.offset', text)).toBeNull()
  })
})
