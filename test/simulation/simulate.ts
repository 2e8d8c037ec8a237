/**
 * Runs simulations.
 *
 *   simulate.ts --seed N [--log]          one: first its plan, then what happened, and its hash
 *   simulate.ts --seeds N [--from M]      many: prints the seeds that failed with their plans, and how many ran a minute
 *   --workers N                           in so many threads; the default is one
 *   --calm                                without faults
 *   --without kill,grow                   without those faults
 */
import { parseArgs } from 'node:util'
import type { Log } from '../../src/ports/log.ts'
import { addTo, emptySummary, runSeeds, runSeedsInWorkers } from './seeds.ts'
import { type Outcome, planOf, simulate } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: '1' },
    without: { type: 'string', default: '' },
    calm: { type: 'boolean', default: false },
    log: { type: 'boolean', default: false },
  },
})
const settings = { faults: !values.calm, without: values.without.split(',') }

const printingLog = (fields: object): Log => {
  const print = (more: object, message: string): void =>
    console.log('   ', message, JSON.stringify({ ...fields, ...more }))
  return {
    debug: print,
    info: print,
    warn: print,
    error: print,
    child: (more) => printingLog({ ...fields, ...more }),
  }
}

async function runOne(seed: number): Promise<void> {
  console.log(`seed ${seed}`)
  const outcome = await simulate({
    seed,
    ...settings,
    ...(values.log ? { log: printingLog({}) } : {}),
    onPlan: (plan) => console.log(JSON.stringify(plan, null, 1)),
    onNote: (atMs, line) => {
      if (values.log) console.log(atMs.toFixed(3), line)
    },
  })
  console.log(outcome)
  if (outcome.failure !== null) process.exitCode = 1
}

async function runMany(from: number, count: number, workers: number): Promise<void> {
  const startedAt = performance.now()
  const summary = emptySummary()
  const onOutcome = (outcome: Outcome): void => {
    addTo(summary, outcome)
    const { seed, failure, simulatedMs } = outcome
    if (failure === null) return
    console.log(`seed ${seed} ${JSON.stringify(planOf({ seed, ...settings }))}`)
    console.log(`seed ${seed} FAILED after ${simulatedMs} ms: ${failure}`)
  }
  if (workers === 1) await runSeeds({ from, count, step: 1, settings }, onOutcome)
  else await runSeedsInWorkers({ from, count, settings }, workers, onOutcome)

  const seconds = (performance.now() - startedAt) / 1000
  const ofCpu =
    workers === 1 ? `, ${Math.round((count / mainThreadSeconds()) * 60)} a minute of its thread` : ''
  const { events, valid, longestCatchUp, failed, counts } = summary
  console.log(counts)
  console.log(
    `${count} seeds from ${from} in ${seconds.toFixed(1)} s (${Math.round((count / seconds) * 60)} a minute${ofCpu}), ` +
      `${events} events, ${valid} logins counted, ` +
      `longest catch-up ${longestCatchUp.ms} ms (seed ${longestCatchUp.seed}), ${failed.length} failed: ${failed.map(({ seed }) => seed).join(' ')}`,
  )
  if (failed.length > 0) process.exitCode = 1
}

function mainThreadSeconds(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1e6
}

if (values.seed !== undefined) await runOne(Number(values.seed))
else await runMany(Number(values.from), Number(values.seeds ?? 100), Number(values.workers))
