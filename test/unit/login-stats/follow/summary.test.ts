import { expect, test } from 'vitest'
import type { Following } from '../../../../src/login-stats/follow/followed-table.ts'
import { Scans } from '../../../../src/login-stats/follow/scans.ts'
import { Summaries } from '../../../../src/login-stats/follow/summary.ts'
import { defaultLimits } from '../../../../src/login-stats/limits.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import { tableOf } from '../../../support/answering-server.ts'
import { row } from '../../../support/page-rows.ts'

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

test('a table that was started over, and another one, never answer by the summary of before', async () => {
  const clock = { monotonic: () => 1000 } as Clock
  const summaries = new Summaries(clock, [])
  const scans = new Scans(defaultLimits)
  const followingOf = (table: unknown) =>
    ({ table, deadLetters: null, rate: { perSecond: null }, scans }) as unknown as Following
  const options = { limit: 3, window: null }
  const rows = [row('total', 'total', 5)]
  const { table, restart, complete } = tableOf(rows)
  Object.defineProperty(table, 'keyCounts', { value: new Map() })
  const following = followingOf(table)
  expect((await summaries.of(following, options)).total?.count).toBe(5)
  restart()
  await expect(summaries.of(following, options)).rejects.toMatchObject({ code: 'TABLE_NOT_READ' })
  rows[0] = row('total', 'total', 2)
  complete()
  // Nor is it told once more that it could not be read.
  expect((await summaries.of(following, options)).total?.count).toBe(2)
  const { table: other } = tableOf([row('total', 'total', 9)])
  Object.defineProperty(other, 'keyCounts', { value: new Map() })
  expect((await summaries.of(followingOf(other), options)).total?.count).toBe(9)
})
