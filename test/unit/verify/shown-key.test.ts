import { describe, expect, it } from 'vitest'
import { reportLines } from '../../../src/login-stats/commands/verify-text.ts'
import type { Difference, VerifyReport } from '../../../src/verify/index.ts'
import { asShown } from '../../../src/verify/shown-key.ts'

const dimensions = [{ name: 'locale', fields: ['locale'] }]
const difference: Difference = {
  ...{ where: 'table', what: 'count', key: 'total', partition: 0, expected: 0, found: 1 },
  ...{ records: [{ partition: 0, offset: 7 }], range: null },
}

describe('a difference', () => {
  it.each(['total', 'locale:RU'])('is told with the key %s of the table', (key) => {
    expect(asShown({ ...difference, key }, dimensions)).toEqual({ ...difference, key })
  })

  it.each(['user-17', '10.0.0.1', ''])('is not told with %o, which no login has', (key) => {
    for (const where of ['table', 'changelog'] as const) {
      const shown = asShown({ ...difference, where, key }, dimensions)
      expect(shown).toEqual({
        ...{ ...difference, where },
        key: expect.stringMatching(/^foreign key, sha256 [0-9a-f]{16}$/),
      })
      expect(shown.key).not.toBe(asShown({ ...difference, where, key: 'another' }, dimensions).key)
    }
  })

  it('of another kind names its place or topic', () => {
    for (const where of ['dead letters', 'offsets', 'topics'] as const)
      expect(asShown({ ...difference, where, key: '0:17' }, dimensions).key).toBe('0:17')
  })

  it('can do nothing to a terminal', () => {
    const plain = (text: string) => text
    const report = {
      ...{ verdict: 'different', differenceCount: 1, startGone: [], recreated: [], input: [], notes: [] },
      ...{
        logins: { valid: 1, invalid: 0 },
        deadLetters: null,
        keys: 1,
        passes: 1,
        underWay: [],
        staleRows: 0,
      },
      differences: [{ ...difference, key: 'locale:\u001b[2J\u009b1m\u202e', expected: '\u0007\u009b' }],
    } as unknown as VerifyReport
    const lines = reportLines(report, 'changelog', { green: plain, red: plain, yellow: plain })
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})
