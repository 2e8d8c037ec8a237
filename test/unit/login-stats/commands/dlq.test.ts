import { InvalidArgumentError } from 'commander'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sentences } from '../../../../src/login-stats/commands/dlq-replay.ts'
import { moment } from '../../../../src/login-stats/commands/option-values.ts'
import { printable, printableJson } from '../../../../src/login-stats/printable.ts'
import { runHere } from '../../../support/here.ts'

describe('text from a record', () => {
  it('can do nothing to a terminal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      }),
    )
    expect(printable('\x1b]0;owned\x07 a\tb\n\u202eabc\u009b1m')).toBe(
      '\\x1b]0;owned\\x07 a\\x09b\\x0a\\u{202e}abc\\x9b1m',
    )
    expect(printable('{"город":"Ωé 😀"}')).toBe('{"город":"Ωé 😀"}')
  })
})

describe('JSON for a terminal', () => {
  it('is of the same value, and can do nothing to it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom(0, 2), (text, indent) => {
        const json = printableJson({ [text]: [text] }, indent)
        expect(json.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ [text]: [text] })))
      }),
    )
    expect(printableJson('\u009b1m\u{e0001}é')).toBe('"\\u009b1m\\udb40\\udc01é"')
  })
})

describe('a moment', () => {
  const read = moment(() => 1_000_000_000)

  it.each([
    ['30m', 1_000_000_000 - 1_800_000],
    ['2h', 1_000_000_000 - 7_200_000],
    ['0s', 1_000_000_000],
    ['2026-11-21T10:00:00Z', Date.UTC(2026, 10, 21, 10)],
    ['2026-11-21', Date.UTC(2026, 10, 21)],
  ])('can be %s', (text, expected) => {
    expect(read(text)).toBe(expected)
  })

  it.each(['', 'yesterday', '5', '2w', '2026-13-01', '-1h'])('cannot be %o', (text) => {
    expect(() => read(text)).toThrow(InvalidArgumentError)
  })
})

describe('dlq', () => {
  it.each([
    [['show']],
    [['show', 'x']],
    [['show', '1']],
    [['show', '1:2', '3']],
    [['show', '1:2:3']],
    [['show', '1:x']],
    [['show', '1', 'x']],
    [['list', '--code', 'NONSENSE']],
    [['list', '--since', 'tomorrow']],
    [['replay', '--limit', '0']],
    [['replay', '--code', 'INTERNAL']],
  ])('refuses %o', async (args) => {
    const { exitCode, err } = await runHere(['dlq', ...args], {})
    expect(exitCode).toBe(2)
    expect(err).toContain('error: ')
  })

  it('tells of a replay only what there is to tell', () => {
    const nothing = {
      replay: 0,
      done: 0,
      repeated: 0,
      held: 0,
      'other-code': 3,
      truncated: 0,
      foreign: 0,
      deleted: 0,
    }
    expect(sentences({ ...nothing, replay: 1, isComplete: true }, {})).toEqual(['Wrote back 1 dead letter.'])
    const report = {
      ...nothing,
      replay: 1200,
      done: 2,
      repeated: 3,
      held: 5,
      truncated: 1,
      foreign: 1,
      deleted: 9,
    }
    const told = sentences({ ...report, isComplete: false }, { dryRun: true, code: 'NOT_JSON' })
    expect(told[0]).toBe('Would write back 1,200 dead letters of NOT_JSON.')
    expect(told).toHaveLength(7)
  })
})
