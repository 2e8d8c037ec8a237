import { expect, test } from 'vitest'
import { reportLines } from '../../../../src/login-stats/commands/verify-text.ts'
import type { VerifyReport } from '../../../../src/verify/index.ts'

const red = (text: string) => `\u001b[31m${text}\u001b[39m`
const colours = { green: red, red, yellow: red }

test('a report prints keys and what was found as text, whatever is in them', () => {
  const evil = 'locale:\u001b[2J\u009b1m\u202e\n'
  const difference = { where: 'table', what: evil, key: evil, partition: 0, expected: evil, found: evil }
  const report = {
    ...{ verdict: 'different', equal: false, differenceCount: 1, differencesByKind: { [evil]: 1 }, keys: 1 },
    ...{ logins: { valid: 1, invalid: 0 }, deadLetters: null, input: [], startGone: [], recreated: [] },
    ...{ caughtUp: true, underWay: [], streamTime: null, staleRows: 0, passes: 1, notes: [evil] },
    differences: [{ ...difference, records: [], range: null }],
  } as VerifyReport
  const [head, ...lines] = reportLines(report, 'changelog', colours)
  expect(head).toBe(red('Different: 1 difference.'))
  for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  expect(lines.at(-1)).toContain('expected locale:\\x1b[2J\\x9b1m\\u{202e}\\x0a, found')
})
