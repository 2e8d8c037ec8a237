import { expect } from 'vitest'
import type { VerifyReport } from '../../src/verify/index.ts'
import type { Application } from './application.ts'
import { WrongCounts } from './wrong-counts.ts'

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
  assertNoDifference(report)
  expect(report.verdict).toBe('equal')
  assertLogins(report, expected)
  const { deadLetters, logins } = report
  if (
    application.config.dlqTopic !== null &&
    (deadLetters?.found !== logins.invalid || deadLetters.expected !== logins.invalid)
  ) {
    throw new WrongCounts(`dead letters: ${JSON.stringify({ logins, deadLetters })}`, 1)
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

/** Throws WrongCounts where the recount differs from anything that was published. */
export function assertNoDifference({ differences, differenceCount }: VerifyReport): void {
  if (differenceCount > 0) throw new WrongCounts(JSON.stringify(differences.slice(0, 10)), differenceCount)
}

/** The recount itself must find what was written, each record once. */
function assertLogins({ logins }: VerifyReport, { valid, invalid, inDoubt = 0 }: Expected): void {
  const missing = Math.max(0, valid - logins.valid) + Math.max(0, invalid - logins.invalid)
  const superfluous = logins.valid + logins.invalid - (valid + invalid + inDoubt)
  if (missing > 0 || superfluous > 0) {
    throw new WrongCounts(
      `in the input: ${JSON.stringify({ expected: { valid, invalid, inDoubt }, found: logins })}`,
      Math.max(missing, superfluous),
    )
  }
}
