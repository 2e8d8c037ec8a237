import { expect, test } from 'vitest'
import type { Following } from '../../../../src/login-stats/follow/followed-table.ts'
import { Summaries } from '../../../../src/login-stats/follow/summary.ts'
import type { Clock } from '../../../../src/ports/clock.ts'

test('a summary that several are given is the older, the later it is given', async () => {
  let now = 1000
  const clock = { monotonic: () => now } as Clock
  let looks = 0
  const table = {
    ...{ currentAt: 900, isComplete: true, restarts: 0, keyCounts: new Map(), failure: null },
    get: async () => null,
  }
  const following = {
    ...{ table, deadLetters: null, rate: { perSecond: null } },
    scans: {
      run: async (_: string, scan: () => unknown) => {
        looks += 1
        return await scan()
      },
    },
  } as unknown as Following
  const summaries = new Summaries(clock, [])
  const options = { limit: 3, window: null }
  expect((await summaries.of(following, options)).age_ms).toBe(100)
  now += 330
  expect((await summaries.of(following, options)).age_ms).toBe(430)
  expect(looks).toBe(1)
})
