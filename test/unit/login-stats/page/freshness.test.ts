import { expect, test } from 'vitest'
import { freshness, staleAfterMs } from '../../../../src/login-stats/page/freshness.js'

const now = 1_000_000
const answer = { receivedAt: now, ageMs: 200, isComplete: true, failure: null }

test.each([
  ['before the first attempt has ended', null, null, 'connecting'],
  ['connected, without an answer yet', true, null, 'connecting'],
  ['connected, and up to date', true, answer, 'live'],
  ['the table has not been read once', true, { ...answer, ageMs: null, isComplete: false }, 'reading'],
  ['the table has not been read to its end', true, { ...answer, isComplete: false }, 'reading'],
  ['an answer that was old when it came', true, { ...answer, ageMs: staleAfterMs }, 'stale'],
  ['an answer that came long ago', true, { ...answer, receivedAt: now - staleAfterMs }, 'stale'],
  [
    'the table cannot be read',
    true,
    { ...answer, ageMs: null, isComplete: false, failure: 'why' },
    'hindered',
  ],
  [
    'an old answer of a table that is not complete',
    true,
    { ...answer, ageMs: 60_000, isComplete: false },
    'stale',
  ],
  ['not connected, however new the answer', false, answer, 'lost'],
  ['never connected', false, null, 'lost'],
] as const)('%s', (_what, isConnected, last, reliability) => {
  expect(freshness(isConnected, last, now).reliability).toBe(reliability)
})

test('the age goes on while no answer comes', () => {
  expect(freshness(true, answer, now + 3_000).ageMs).toBe(3_200)
  expect(freshness(false, answer, now + 60_000).ageMs).toBe(60_200)
  expect(freshness(true, { ...answer, ageMs: null }, now + 3_000).ageMs).toBeNull()
})

test('a clock that is put back makes no number younger than it was', () => {
  expect(freshness(true, answer, now - 60_000).ageMs).toBe(200)
})
