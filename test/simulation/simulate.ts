/**
 * Runs simulations.
 *
 *   simulate.ts --seed N [--log]          one, with its plan, what happened, and its hash
 *   simulate.ts --seeds N [--from M]      many: prints the seeds that failed, and how many ran a minute
 *   --calm                                without faults
 *   --without kill,grow                   without those faults
 */
import { parseArgs } from 'node:util'
import type { Log } from '../../src/ports/log.ts'
import { type Outcome, simulate } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
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

async function runMany(from: number, count: number): Promise<void> {
  // Errors are part of every run; where they come from is looked at one seed at a time.
  Error.stackTraceLimit = 0
  const startedAt = performance.now()
  const cpuBefore = process.cpuUsage()
  const totals: Record<string, number> = {}
  const failed: Outcome[] = []
  let events = 0
  let valid = 0
  let longest = { catchUpMs: 0, seed: 0 }
  for (let seed = from; seed < from + count; seed++) {
    const outcome = await simulate({ seed, ...settings })
    // Timers and signals of the machine have their turn between seeds.
    await new Promise((resolve) => setImmediate(resolve))
    events += outcome.events
    valid += outcome.valid
    if (outcome.catchUpMs > longest.catchUpMs) longest = outcome
    for (const [what, times] of Object.entries(outcome.counts)) totals[what] = (totals[what] ?? 0) + times
    if (outcome.failure === null) continue
    failed.push(outcome)
    console.log(`seed ${seed} FAILED after ${outcome.simulatedMs} ms: ${outcome.failure}`)
  }
  const seconds = (performance.now() - startedAt) / 1000
  const perMinute = Math.round((count / seconds) * 60)
  const { user, system } = process.cpuUsage(cpuBefore)
  const perCpuMinute = Math.round((count / (user + system)) * 60e6)
  console.log(totals)
  console.log(
    `${count} seeds from ${from} in ${seconds.toFixed(1)} s (${perMinute} a minute, ${perCpuMinute} a minute of CPU), ${events} events, ${valid} logins counted, ` +
      `longest catch-up ${longest.catchUpMs} ms (seed ${longest.seed}), ${failed.length} failed: ${failed.map(({ seed }) => seed).join(' ')}`,
  )
  if (failed.length > 0) process.exitCode = 1
}

if (values.seed !== undefined) await runOne(Number(values.seed))
else await runMany(Number(values.from), Number(values.seeds ?? 100))
