import { describe, expect, it } from 'vitest'
import { simulate } from './simulation.ts'

const seedsPerTest = 20
const tests = 10

describe('simulated faults', () => {
  for (let test = 0; test < tests; test++) {
    const first = 1 + test * seedsPerTest
    it(`counts exactly, seeds ${first} to ${first + seedsPerTest - 1}`, async () => {
      const failures: string[] = []
      for (let seed = first; seed < first + seedsPerTest; seed++) {
        const { failure } = await simulate({ seed })
        if (failure !== null) failures.push(`seed ${seed}: ${failure}`)
        // The runner of the tests has work of its own.
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(failures).toEqual([])
    })
  }

  it('counts exactly without faults, and no process ends', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { failure, counts, valid } = await simulate({ seed, faults: false })
      expect(failure).toBeNull()
      expect(valid).toBeGreaterThan(0)
      expect(counts).not.toHaveProperty('aborted')
    }
  })

  it('happens again in the same way, byte for byte', async () => {
    for (const seed of [3, 14, 159]) {
      const first = await simulate({ seed })
      expect(await simulate({ seed })).toEqual(first)
      expect((await simulate({ seed: seed + 1 })).hash).not.toBe(first.hash)
    }
  })
})
