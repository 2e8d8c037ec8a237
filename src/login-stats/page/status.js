// @ts-check
/** How old the numbers are: beside the title always, and in words above them where they cannot be relied on. */
import { byId, setAttribute, setText } from './elements.js'
import * as format from './format.js'
import { freshness, reliabilityWords } from './freshness.js'

/** @import { LastAnswer, Reliability } from './freshness.js' */

export function statusView() {
  const [pill, word, age] = [byId('status'), byId('status-word'), byId('status-age')]
  const [notice, main] = [byId('notice'), byId('main')]
  return {
    /**
     * @param {boolean | null} isConnected
     * @param {string | null} refusal
     * @param {LastAnswer | null} answer
     * @param {number} now
     */
    update(isConnected, refusal, answer, now) {
      const { reliability, ageMs } = freshness(isConnected, answer, now)
      setAttribute(pill, 'data-state', reliability)
      setAttribute(main, 'data-state', reliability)
      setText(word, reliabilityWords[reliability])
      setText(age, ageMs === null ? '' : `${format.duration(ageMs)} old`)
      const text = explanation(
        reliability,
        reliability === 'lost' ? refusal : (answer?.failure ?? null),
        ageMs,
        now,
      )
      notice.hidden = text === ''
      setText(notice, text)
      document.title =
        reliability === 'live' ? 'login-stats' : `${reliabilityWords[reliability]} – login-stats`
    },
  }
}

/**
 * @param {Reliability} reliability
 * @param {string | null} cause as the server tells it, if it does
 * @param {number | null} ageMs
 * @param {number} now
 */
function explanation(reliability, cause, ageMs, now) {
  const asOf =
    ageMs === null
      ? 'There are no numbers yet.'
      : `These numbers are of ${format.clockTime(now - ageMs)}, ${format.duration(ageMs)} ago.`
  switch (reliability) {
    case 'lost':
      return `${cause === null ? 'The server cannot be reached.' : `The server does not take the connection: ${cause}`} ${asOf} Trying again every few seconds.`
    case 'stale':
      return `The server is connected, but its numbers grow old. ${asOf}${cause === null ? '' : ` ${cause}`}`
    case 'hindered':
      return `The server cannot read the table now, and tries again: ${cause}`
    case 'reading':
      return 'The server is still reading the table; the counts come when it has read all of it.'
    default:
      return ''
  }
}
