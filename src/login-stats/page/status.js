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
     * @param {LastAnswer | null} answer
     * @param {number} now
     */
    update(isConnected, answer, now) {
      const { reliability, ageMs } = freshness(isConnected, answer, now)
      setAttribute(pill, 'data-state', reliability)
      setAttribute(main, 'data-state', reliability)
      setText(word, reliabilityWords[reliability])
      setText(age, ageMs === null ? '' : `${format.duration(ageMs)} old`)
      const text = explanation(reliability, ageMs, now)
      notice.hidden = text === ''
      setText(notice, text)
      document.title =
        reliability === 'live' ? 'login-stats' : `${reliabilityWords[reliability]} – login-stats`
    },
  }
}

/**
 * @param {Reliability} reliability
 * @param {number | null} ageMs
 * @param {number} now
 */
function explanation(reliability, ageMs, now) {
  const asOf =
    ageMs === null
      ? 'There are no numbers yet.'
      : `These numbers are of ${format.clockTime(now - ageMs)}, ${format.duration(ageMs)} ago.`
  switch (reliability) {
    case 'lost':
      return `The server cannot be reached. ${asOf} Trying again every few seconds.`
    case 'stale':
      return `The server is connected, but its numbers grow old. ${asOf}`
    case 'reading':
      return 'The server is still reading the table: the counts are below what they should be.'
    default:
      return ''
  }
}
