import { expect, test } from 'vitest'
import type { Following } from '../../../../src/login-stats/follow/followed-table.ts'
import { insightsOf } from '../../../../src/login-stats/insights/insights.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { row } from '../../../support/page-rows.ts'

/** While the task of the total stands still, those of the values go on. */
test('shares are of all logins of the dimension, also while the total is behind', async () => {
  const rows = [row('locale', 'RU', 90), row('locale', 'DE', 30)]
  const table = {
    ...{ currentAt: systemClock.monotonic(), isComplete: true, restarts: 0 },
    keyCounts: new Map([
      ['total', 1],
      ['locale', 2],
    ]),
    get: async () => row('total', 'total', 80),
    ends: async () => ({ top: rows, least: rows.toReversed(), sum: 120 }),
  }
  const following = { table, deadLetters: null, rate: { perSecond: null } } as unknown as Following
  const { logins, dimensions } = await insightsOf(following, systemClock, 'this')
  expect(logins).toBe(80)
  expect(dimensions.locale).toMatchObject({
    shares: [
      { value: 'RU', count: 90, share: 0.75 },
      { value: 'DE', count: 30, share: 0.25 },
    ],
    least_active: { value: 'DE', share: 0.25 },
  })
})
