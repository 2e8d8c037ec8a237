import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export type Column = 'taste' | 'short' | 'long'

/** One round of the long column; a line of the file. */
export interface FaultResult {
  readonly row: string
  readonly case: string
  readonly round: number
  readonly seed: number
  readonly seconds: number
  readonly passed: boolean
  /** Rows of the table, counters and the like that were not what the recount says. */
  readonly wrong: number
  readonly logins?: number
  readonly faults?: number
  readonly stalledMs?: number
  readonly outcomes?: Readonly<Record<string, number>>
  readonly error?: string
}

/** JSON lines, in the order of their end. FAULT_RESULTS names another file. */
export const resultsFile =
  process.env.FAULT_RESULTS ?? join(import.meta.dirname, '..', 'faults', 'results', 'long.jsonl')

export function readResults(): FaultResult[] {
  if (!existsSync(resultsFile)) return []
  const lines = readFileSync(resultsFile, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as FaultResult)
}

export function appendResult(result: FaultResult): void {
  mkdirSync(dirname(resultsFile), { recursive: true })
  appendFileSync(resultsFile, `${JSON.stringify(result)}\n`)
}

/** The rounds of a case that need not be run again. */
export function passedRounds(row: string, faultCase: string): Set<number> {
  const results = readResults().filter((result) => result.row === row && result.case === faultCase)
  return new Set(results.filter(({ passed }) => passed).map(({ round }) => round))
}
