/**
 * The simulator finds every planted fault that it can reach. Each mutant names seeds that have found it, so that a test is quick;
 * where the order of draws has changed since, other seeds are tried.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { HuntResult } from './hunt.ts'
import { controls, mutants } from './mutants.ts'

const hunter = join(import.meta.dirname, 'hunt.ts')
const plant = join(import.meta.dirname, 'plant.ts')
/** Seeds to try where those that a mutant names do not find it any more. */
const mostSeeds = 1000

async function hunt(mutant: string | null, parameters: readonly string[]): Promise<HuntResult> {
  const planting = mutant === null ? [] : ['--import', plant]
  const child = spawn(process.execPath, [...planting, hunter, ...parameters], {
    env: { PATH: process.env.PATH, ...(mutant === null ? {} : { MUTANT: mutant }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.on('data', (text) => {
    output += String(text)
  })
  child.stderr.on('data', (text) => {
    errors += String(text)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  expect(code, errors).toBe(0)
  return JSON.parse(output) as HuntResult
}

const reachable = mutants.flatMap(({ name, seeds, failsCalm = false }) =>
  seeds === undefined ? [] : [{ name, seeds, failsCalm }],
)

describe('the simulator finds the mutant', () => {
  test.for(reachable)('$name', async ({ name, seeds, failsCalm }) => {
    const calm = failsCalm ? [] : ['--calm']
    const result = await hunt(name, [...calm, '--seeds', seeds.join(), '--most', String(mostSeeds)])
    // Without faults it does its work: what fails below is no mere start.
    expect(result.calmFailure).toBeNull()
    const [found] = result.failures
    expect(found, `${name}: not found in ${result.seedsRun} seeds`).toBeDefined()
    console.log(`${name}: seed ${found?.seed}, ${result.seconds} s: ${found?.failure.slice(0, 200)}`)
    if (found !== undefined && !seeds.includes(found.seed))
      console.log(
        `  The seeds that mutants.ts names for it have found nothing; ${found.seed} should stand there.`,
      )
  })
})

const allSeeds = [...new Set(reachable.flatMap(({ seeds }) => seeds))]

describe('with the same seeds', () => {
  test('the program as it is counts exactly', async () => {
    const { failures, calmFailure, seedsRun } = await hunt(null, [
      '--calm',
      '--all',
      '--seeds',
      allSeeds.join(),
    ])
    expect(failures).toEqual([])
    expect(calmFailure).toBeNull()
    expect(seedsRun).toBe(allSeeds.length)
  })

  test.for(controls)('it does so too where $says', async ({ name }) => {
    const { failures } = await hunt(name, ['--all', '--seeds', allSeeds.join()])
    expect(failures).toEqual([])
  })
})
