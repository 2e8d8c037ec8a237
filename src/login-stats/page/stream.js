// @ts-check
/**
 * The server's events, for as long as the page is open.
 *
 * A browser tries again by itself only after some ends of a connection, and does not notice at all when one falls silent; so the page does
 * both. There is one timer: while connected it waits for the next event, and once connection is lost, for the next attempt.
 */

/** @import { Summary, Tasks } from '../http/api-schemas.ts' */

/** The server sends the tasks every two seconds: a connection that is silent for so long is dead. */
const silenceMs = 12_000
const firstRetryMs = 1_000
const longestRetryMs = 8_000

/**
 * @param {string} url
 * @param {object} listener
 * @param {(summary: Summary) => void} listener.onSummary
 * @param {(tasks: Tasks) => void} listener.onTasks
 * @param {(isConnected: boolean) => void} listener.onConnection
 */
export function followStream(url, { onSummary, onTasks, onConnection }) {
  /** @type {EventSource | null} */
  let source = null
  let retryMs = firstRetryMs
  /** @type {number | undefined} */
  let timer

  function connect() {
    source?.close()
    source = new EventSource(url)
    source.addEventListener('open', () => {
      expectMore()
      onConnection(true)
    })
    source.addEventListener('error', lose)
    source.addEventListener('summary', ({ data }) => {
      hear()
      onSummary(JSON.parse(data))
    })
    source.addEventListener('tasks', ({ data }) => {
      hear()
      onTasks(JSON.parse(data))
    })
    expectMore()
  }

  function hear() {
    retryMs = firstRetryMs
    expectMore()
  }

  function expectMore() {
    clearTimeout(timer)
    timer = setTimeout(lose, silenceMs)
  }

  function lose() {
    source?.close()
    source = null
    clearTimeout(timer)
    timer = setTimeout(connect, retryMs)
    retryMs = Math.min(longestRetryMs, retryMs * 2)
    onConnection(false)
  }

  /** Who comes back to the page, or to the network, need not wait. */
  function hurry() {
    if (source === null && document.visibilityState === 'visible') {
      retryMs = firstRetryMs
      clearTimeout(timer)
      connect()
    }
  }

  addEventListener('online', hurry)
  document.addEventListener('visibilitychange', hurry)
  connect()
}
