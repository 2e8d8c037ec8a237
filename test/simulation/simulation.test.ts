import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { addTo, emptySummary, runSeeds, runSeedsInWorkers } from './seeds.ts'
import { planOf, simulate } from './simulation.ts'

const seedsPerTest = 20
const tests = 10
const settings = { faults: true, without: [] }

describe('simulated faults', () => {
  for (let test = 0; test < tests; test++) {
    const first = 1 + test * seedsPerTest
    it(`counts exactly, seeds ${first} to ${first + seedsPerTest - 1}`, async () => {
      const failures: string[] = []
      await runSeeds({ from: first, count: seedsPerTest, step: 1, settings }, ({ seed, failure }) => {
        if (failure !== null) failures.push(`seed ${seed}: ${failure}`)
      })
      expect(failures).toEqual([])
    })
  }

  it('counts exactly without faults, and no process ends', async () => {
    // Where the markers of a transaction take longer than a call may, the next one is given up, whatever else is well.
    const isQuick = (seed: number): boolean => {
      const { markerDelayMs, transactionTimeoutMs } = planOf({ seed, faults: false })
      return markerDelayMs < transactionTimeoutMs / 4
    }
    const seeds = Array.from({ length: 20 }, (_, index) => index + 1).filter(isQuick)
    expect(seeds.length).toBeGreaterThan(10)
    for (const seed of seeds) {
      const { failure, counts, valid } = await simulate({ seed, faults: false })
      expect(failure).toBeNull()
      expect(valid).toBeGreaterThan(0)
      expect(counts).not.toHaveProperty('aborted')
    }
  })

  it('stops where logins have been deleted that nobody has counted', async () => {
    const seeds = Array.from({ length: 1000 }, (_, index) => index + 1)
    let stopped = 0
    for (const seed of seeds.filter((seed) => planOf({ seed }).losesInput)) {
      const { failure, counts } = await simulate({ seed })
      expect(failure).toBeNull()
      stopped += counts['exit OFFSET_OUT_OF_RANGE'] ?? 0
    }
    expect(stopped).toBeGreaterThan(0)
  })

  it('happens again in the same way, byte for byte', async () => {
    for (const seed of [3, 14, 159]) {
      const first = await simulate({ seed })
      expect(await simulate({ seed })).toEqual(first)
      expect((await simulate({ seed: seed + 1 })).hash).not.toBe(first.hash)
    }
  })

  it('happens in the same way in another process, which tells the seed and all chances first', async () => {
    const seed = 26
    const program = join(import.meta.dirname, 'simulate.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [program, '--seed', String(seed)])
    const [first, ...others] = stdout.split('\n')
    expect(first).toBe(`seed ${seed}`)
    const plan = others.slice(0, others.indexOf('}') + 1).join('\n')
    expect(JSON.parse(plan)).toEqual(planOf({ seed }))
    expect(stdout).toContain(`hash: '${(await simulate({ seed })).hash}'`)
  })

  it('happens in the same way in other threads, whatever else they run', async () => {
    const [alone, shared] = [emptySummary(), emptySummary()]
    await runSeeds({ from: 300, count: 8, step: 1, settings }, (outcome) => addTo(alone, outcome))
    await runSeedsInWorkers({ from: 300, count: 8, settings }, 2, (outcome) => addTo(shared, outcome))
    expect(shared).toEqual(alone)
  })
})
