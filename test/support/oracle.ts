import { expect } from 'vitest'
import type { VerifyReport } from '../../src/verify/index.ts'
import type { Application } from './application.ts'

/** The one failure that must never be: something published is not what the input says. */
export class WrongCounts extends Error {
  override readonly name = 'WrongCounts'
  /** How many places differ. */
  readonly wrong: number

  constructor(report: VerifyReport) {
    super(JSON.stringify(report.differences.slice(0, 10)))
    this.wrong = report.differenceCount
  }
}

/** What a test knows of the input that it wrote. */
export interface Expected {
  readonly valid: number
  readonly invalid: number
  /** Records, valid or not, of transactions whose outcome the test did not learn; 0 by default. */
  readonly inDoubt?: number
}

/**
 * The oracle of EXACTLY-ONCE section 5, on an application that has counted all of its input: the input is recounted by a
 * reader that shares no code with the processor, and compared with the changelog, the table, the dead letters, and the
 * committed offsets; per key the published counts never fall; no transaction is left open.
 */
export async function expectExact(
  application: Application,
  expected: Expected,
  timeoutMs?: number,
): Promise<VerifyReport> {
  const report = await application.counted(timeoutMs)
  if (report.differences.length > 0) throw new WrongCounts(report)
  expect(report.verdict).toBe('equal')
  const { valid, invalid } = report.logins
  const { inDoubt = 0 } = expected
  if (inDoubt === 0) expect({ valid, invalid }).toEqual({ valid: expected.valid, invalid: expected.invalid })
  else {
    expect(valid).toBeGreaterThanOrEqual(expected.valid)
    expect(invalid).toBeGreaterThanOrEqual(expected.invalid)
    expect(valid + invalid).toBeLessThanOrEqual(expected.valid + expected.invalid + inDoubt)
  }
  if (application.config.dlqTopic !== null) {
    expect(report.deadLetters).toEqual({ expected: invalid, found: invalid })
  }
  for (const { counted, committed, end, logStart } of report.input) {
    expect(committed).toBe(end)
    expect(counted).toBeLessThanOrEqual(end)
    expect(logStart).toBe(0)
  }
  expect(await application.openTransactions()).toEqual([])
  return report
}

export function countOf(logins: readonly { readonly valid: boolean }[]): { valid: number; invalid: number } {
  const valid = logins.filter((login) => login.valid).length
  return { valid, invalid: logins.length - valid }
}
