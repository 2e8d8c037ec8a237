import { expect, test } from 'vitest'
import { Rate } from '../../../../src/login-stats/follow/rate.ts'

test('a rate is that of the last seconds, and begins anew where the count falls', () => {
  const rate = new Rate(10_000)
  expect(rate.perSecond).toBeNull()
  rate.note(0, 0)
  expect(rate.perSecond).toBeNull()
  for (let second = 1; second <= 20; second++) rate.note(second * 1000, second * 100)
  expect(rate.perSecond).toBe(100)
  for (let second = 21; second <= 31; second++) rate.note(second * 1000, 2000)
  expect(rate.perSecond).toBe(0)
  rate.note(32_000, 5)
  expect(rate.perSecond).toBeNull()
  rate.note(33_000, 12)
  expect(rate.perSecond).toBe(7)
})

test('a rate stands still while nothing newer is known', () => {
  const rate = new Rate(10_000)
  for (let second = 0; second <= 5; second++) rate.note(second * 1000, second * 100)
  for (let look = 0; look < 5; look++) rate.note(5000, 500 + look * 100)
  expect(rate.perSecond).toBe(100)
  rate.note(9000, 900)
  expect(rate.perSecond).toBe(100)
})
