import { expect, test } from 'vitest'
import { simulate } from './simulation.ts'

/** Seeds that have found a fault, with the fault. */
test.each([
  [1051, 'tasks were kept after a join that took so long that others had owned them in between'],
  [3078, 'the same, where the new owner had purged what the old one wanted to read'],
  [1630, 'an input that grew while topics were set up left the topics beside it behind'],
])('seed %i: %s', async (seed) => {
  const { failure } = await simulate({ seed })
  expect(failure).toBeNull()
})
