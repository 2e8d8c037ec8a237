import { afterEach, expect, test, vi } from 'vitest'
import type { CommandContext } from '../../../../src/login-stats/commands/context.ts'
import { barWidth, paceInWords, startProgress } from '../../../../src/login-stats/commands/progress.ts'
import { systemClock } from '../../../../src/system/clock.ts'

afterEach(() => vi.restoreAllMocks())

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

test.each([
  { isDone: true, last: ['first 100 %', 'second 100 %'] },
  { isDone: false, last: ['first 100 %', 'second 30 %'] },
])(
  'a bar is full when the next one comes; the last one where all is done: $isDone',
  async ({ isDone, last }) => {
    let drawn = ''
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      drawn += text
      return true
    })
    const { isTTY } = process.stderr
    process.stderr.isTTY = true
    try {
      const err = { isTTY: true, columns: 100, write: () => undefined }
      const context = { environment: {}, err, clock: systemClock } as unknown as CommandContext
      const progress = await startProgress(context)
      progress.update('first', 1, 10)
      progress.update('second', 3, 10)
      progress.stop(isDone)
    } finally {
      process.stderr.isTTY = isTTY
    }
    const shown = [...drawn.matchAll(/(first|second) .*?(\d+ %)/g)].map(
      ([, label, share]) => `${label} ${share}`,
    )
    expect(['first', 'second'].map((label) => shown.findLast((one) => one.startsWith(label)))).toEqual(last)
  },
)
