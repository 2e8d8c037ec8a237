import { expect, test } from 'vitest'
import { barWidth, paceInWords } from '../../../../src/login-stats/commands/progress.ts'

test.each([
  [0, 10, 5, ''],
  [10, 10, 0.1, ''],
  [30_000, 0, 2, ', 15,000 a second, 0 s left'],
  [30_000, 1, 2, ', 15,000 a second, 1 s left'],
  [1_000, 90_000, 1, ', 1,000 a second, 1 min 30 s left'],
  [1_000, 4_000_000, 1, ', 1,000 a second, 1 h 6 min left'],
])('%d done, %d left, after %d s: "%s"', (done, left, seconds, words) => {
  expect(paceInWords(done, left, seconds)).toBe(words)
})

test.each([
  [20, 8],
  [80, 8],
  [100, 28],
  [300, 40],
])('on %d columns the bar has %d', (columns, width) => {
  expect(barWidth(columns)).toBe(width)
})
