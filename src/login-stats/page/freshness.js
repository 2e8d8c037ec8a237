// @ts-check
/**
 * How far what the page shows can be relied on.
 *
 *     connecting   nothing has been received yet
 *     reading      the server has not read the table to its end yet, and tells nothing of it
 *     hindered     nor can it at present
 *     live         connected, and all that was committed a moment ago is in the numbers
 *     stale        connected, but the numbers grow old
 *     lost         not connected: the numbers are those of the last answer
 */

/** Older numbers are called stale. The server sends a summary at least every five seconds. */
export const staleAfterMs = 10_000

/** @typedef {'connecting' | 'reading' | 'hindered' | 'live' | 'stale' | 'lost'} Reliability */

/**
 * @typedef {object} LastAnswer
 * @property {number} receivedAt as `now`
 * @property {number | null} ageMs how old it was then
 * @property {boolean} isComplete
 * @property {string | null} failure why the server cannot read the table
 */

/**
 * @param {boolean | null} isConnected null before the first attempt has ended
 * @param {LastAnswer | null} answer
 * @param {number} now
 * @returns {{ reliability: Reliability, ageMs: number | null }} the age is null where nothing is known of it
 */
export function freshness(isConnected, answer, now) {
  const ageMs = answer?.ageMs == null ? null : answer.ageMs + Math.max(0, now - answer.receivedAt)
  return { reliability: reliability(isConnected, answer, ageMs), ageMs }
}

/**
 * @param {boolean | null} isConnected
 * @param {LastAnswer | null} answer
 * @param {number | null} ageMs
 * @returns {Reliability}
 */
function reliability(isConnected, answer, ageMs) {
  if (isConnected === false) return 'lost'
  if (isConnected === null || answer === null) return 'connecting'
  if (ageMs !== null && ageMs >= staleAfterMs) return 'stale'
  if (answer.isComplete && ageMs !== null) return 'live'
  return answer.failure === null ? 'reading' : 'hindered'
}

/** @type {Readonly<Record<Reliability, string>>} */
export const reliabilityWords = {
  connecting: 'Connecting',
  reading: 'Reading the table',
  hindered: 'Table not readable',
  live: 'Live',
  stale: 'Stale',
  lost: 'Connection lost',
}
