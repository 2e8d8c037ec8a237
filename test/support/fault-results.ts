import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const columns = ['taste', 'short', 'long'] as const
export type Column = (typeof columns)[number]

/** One round of the long column; a line of the file. */
export interface FaultResult {
  readonly row: string
  readonly case: string
  readonly round: number
  readonly seed: number
  readonly seconds: number
  /** The commit that was tested, with `+` where the sources differed from it; null outside a checkout. */
  readonly revision: string | null
  readonly passed: boolean
  /** Rows of the table, counters and the like that were not what the recount says. */
  readonly wrong: number
  readonly logins?: number
  readonly faults?: number
  readonly stalledMs?: number | null
  readonly outcomes?: Readonly<Record<string, number>>
  readonly error?: string
}

/** JSON lines, in the order of their end. FAULT_RESULTS names another file. */
export const resultsFile =
  process.env.FAULT_RESULTS ?? join(import.meta.dirname, '..', 'faults', 'results', 'long.jsonl')

export function readResults(): FaultResult[] {
  if (!existsSync(resultsFile)) return []
  // What stands behind the last line end was being written when the run was killed.
  const lines = readFileSync(resultsFile, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as FaultResult)
}

export function appendResult(result: FaultResult): void {
  mkdirSync(dirname(resultsFile), { recursive: true })
  endLine()
  appendFileSync(resultsFile, `${JSON.stringify(result)}\n`)
}

/** A line that a killed run has left unfinished must not run into the next one. */
function endLine(): void {
  if (!existsSync(resultsFile)) return
  const text = readFileSync(resultsFile, 'utf8')
  if (text !== '' && !text.endsWith('\n'))
    writeFileSync(resultsFile, text.slice(0, text.lastIndexOf('\n') + 1))
}

/** The rounds of a case that need not be run again. */
export function passedRounds(row: string, faultCase: string): Set<number> {
  const results = readResults().filter((result) => result.row === row && result.case === faultCase)
  return new Set(results.filter(({ passed }) => passed).map(({ round }) => round))
}

export const revision = revisionOfSources()

function revisionOfSources(): string | null {
  const git = (...parameters: string[]): string =>
    execFileSync('git', parameters, { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    const isChanged = git('status', '--porcelain', '--', ':/src') !== ''
    return `${git('rev-parse', '--short', 'HEAD')}${isChanged ? '+' : ''}`
  } catch {
    // A copy of the sources without its history, or no git.
    return null
  }
}
