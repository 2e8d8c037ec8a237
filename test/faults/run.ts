/**
 * `npm run faults`: the fault table of EXACTLY-ONCE section 5 on a real broker.
 *
 *   npm run faults                          the short column
 *   npm run faults -- --long                the long column; rounds that have passed before are not run again
 *   npm run faults -- --long --row kill     only the files whose name begins with `kill`
 *   npm run faults -- --long --fresh        forgets all rounds that are kept, and begins anew
 *   npm run faults -- --report              the table of the long column so far
 */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { type FaultResult, readResults, resultsFile } from '../support/fault-results.ts'

const program = new Command('faults')
  .description('Faults on a real broker: every row of the fault table')
  .option('--long', 'the long column; what has passed before is not run again', false)
  .option('--row <name>', 'only the files of test/faults whose name begins with this')
  .option('--case <text>', 'only the cases with this in their name')
  .option('--seed <number>', 'the seed of every round')
  .option('--fresh', 'forget the rounds that are kept', false)
  .option('--report', 'print the results of the long column so far, and end', false)
  .parse()
const options = program.opts<{
  long: boolean
  row?: string
  case?: string
  seed?: string
  fresh: boolean
  report: boolean
}>()

if (options.fresh) rmSync(resultsFile, { force: true })
if (options.report) console.log(reportOf(readResults()))
else process.exitCode = await runVitest()

async function runVitest(): Promise<number> {
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
  const parameters = ['run', '--project', 'kafka', `test/faults/${options.row ?? ''}`]
  if (options.case !== undefined) parameters.push('--testNamePattern', options.case)
  const child = spawn(process.execPath, [vitest, ...parameters], {
    stdio: 'inherit',
    env: {
      ...process.env,
      FAULT_COLUMN: options.long ? 'long' : 'short',
      ...(options.seed === undefined ? {} : { FAULT_SEED: options.seed }),
    },
  })
  const code = await new Promise<number>((resolve) => {
    child.on('close', (exitCode) => resolve(exitCode ?? 1))
  })
  if (options.long) console.log(`${reportOf(readResults())}\nRounds are kept in ${resultsFile}`)
  return code
}

/** One line for each case: rounds, logins, wrong counts, faults, the longest time without progress. */
function reportOf(results: readonly FaultResult[]): string {
  const table = new Table({
    head: ['row', 'case', 'passed', 'failed', 'logins', 'wrong', 'faults', 'longest stall', 'outcomes'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [] },
  })
  const cases = Map.groupBy(results, (result) => `${result.row}\n${result.case}`)
  for (const rounds of cases.values()) {
    const [first] = rounds
    if (first === undefined) continue
    const passed = rounds.filter((round) => round.passed)
    const sum = (of: (round: FaultResult) => number | undefined): number =>
      rounds.reduce((total, round) => total + (of(round) ?? 0), 0)
    const stalls = rounds.flatMap(({ stalledMs }) => stalledMs ?? [])
    table.push([
      first.row,
      first.case,
      passed.length,
      rounds.length - passed.length,
      sum(({ logins }) => logins).toLocaleString('en'),
      sum(({ wrong }) => wrong),
      sum(({ faults }) => faults),
      stalls.length === 0 ? '' : `${(Math.max(...stalls) / 1000).toFixed(1)} s`,
      outcomesOf(rounds),
    ])
  }
  const revisions = new Set(results.map(({ revision }) => revision ?? 'unknown'))
  return `${table.toString()}\nCommits tested: ${[...revisions].join(', ')}`
}

function outcomesOf(rounds: readonly FaultResult[]): string {
  const totals = new Map<string, number>()
  for (const { outcomes = {} } of rounds) {
    for (const [name, count] of Object.entries(outcomes)) totals.set(name, (totals.get(name) ?? 0) + count)
  }
  return [...totals].map(([name, count]) => `${name}: ${count}`).join('\n')
}
