/** Runs many seeds, in this thread or in several, and sums up what came of them. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type Outcome, type SimulationOptions, simulate } from './simulation.ts'

export interface Share {
  readonly from: number
  readonly count: number
  /** From one seed to the next. */
  readonly step: number
  readonly settings: Pick<SimulationOptions, 'faults' | 'without'>
}

export interface Summary {
  seeds: number
  events: number
  valid: number
  longestCatchUp: { ms: number; seed: number }
  readonly failed: Outcome[]
  /** How often each kind of thing happened. */
  readonly counts: Record<string, number>
}

export async function runSeeds(share: Share, onOutcome: (outcome: Outcome) => void): Promise<void> {
  // Errors are part of every run; where they come from is looked at one seed at a time.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  for (let index = 0; index < share.count; index++) {
    onOutcome(await simulate({ ...share.settings, seed: share.from + index * share.step }))
    // Timers and signals of the machine have their turn between seeds.
    await new Promise((resolve) => setImmediate(resolve))
  }
  Error.stackTraceLimit = stackTraceLimit
}

/** The same in `workers` threads; outcomes come as they are ready. */
export async function runSeedsInWorkers(
  { from, count, settings }: Omit<Share, 'step'>,
  workers: number,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  await Promise.all(
    Array.from({ length: workers }, async (_, index) => {
      const share = {
        from: from + index,
        count: Math.ceil((count - index) / workers),
        step: workers,
        settings,
      }
      const worker = new Worker(new URL('simulate-share.ts', import.meta.url), { workerData: share })
      worker.on('message', onOutcome)
      // Rejects with what the worker throws.
      await once(worker, 'exit')
    }),
  )
}

export function emptySummary(): Summary {
  return { seeds: 0, events: 0, valid: 0, longestCatchUp: { ms: 0, seed: 0 }, failed: [], counts: {} }
}

export function addTo(summary: Summary, outcome: Outcome): void {
  summary.seeds++
  summary.events += outcome.events
  summary.valid += outcome.valid
  if (outcome.catchUpMs > summary.longestCatchUp.ms)
    summary.longestCatchUp = { ms: outcome.catchUpMs, seed: outcome.seed }
  if (outcome.failure !== null) summary.failed.push(outcome)
  for (const [what, times] of Object.entries(outcome.counts))
    summary.counts[what] = (summary.counts[what] ?? 0) + times
}
