/**
 * Lets the simulator look for the mutant that MUTANT names, planted by `--import ./test/mutants/plant.ts`; without that, for a
 * mistake of the program as it is.
 *
 *   hunt.ts --seeds 135,21 [--most 300] [--all] [--calm]
 *
 * Runs the given seeds until one fails, then seeds from 1 to `--most`; with `--all` it does not stop at the first. `--calm`: before
 * that a few seeds without any faults. Prints one JSON line.
 */
import { parseArgs } from 'node:util'
import { simulate } from '../simulation/simulation.ts'

export interface HuntResult {
  /** The first failure without any fault, or null. */
  readonly calmFailure: string | null
  readonly failures: readonly { readonly seed: number; readonly failure: string }[]
  readonly seedsRun: number
  readonly seconds: number
}

const calmSeeds = [1, 2, 3]

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '' },
    most: { type: 'string', default: '0' },
    all: { type: 'boolean', default: false },
    calm: { type: 'boolean', default: false },
  },
})
// Errors are part of every run; where they come from does not matter here.
Error.stackTraceLimit = 0
const startedAt = performance.now()
const given = values.seeds.split(',').filter(Boolean).map(Number)
const others = Array.from({ length: Number(values.most) }, (_, index) => index + 1)

let calmFailure: string | null = null
for (const seed of values.calm ? calmSeeds : [])
  calmFailure ??= (await simulate({ seed, faults: false })).failure

const failures: { seed: number; failure: string }[] = []
let seedsRun = 0
for (const seed of [...given, ...others.filter((seed) => !given.includes(seed))]) {
  if (failures.length > 0 && !values.all) break
  const { failure } = await simulate({ seed })
  seedsRun++
  if (failure !== null) failures.push({ seed, failure })
  // Timers and signals of the machine have their turn between seeds.
  await new Promise((resolve) => setImmediate(resolve))
}
const seconds = Math.round((performance.now() - startedAt) / 100) / 10
const result: HuntResult = { calmFailure, failures, seedsRun, seconds }
console.log(JSON.stringify(result))
