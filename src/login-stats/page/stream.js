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
 * @param {(isConnected: boolean, refusal: string | null) => void} listener.onConnection with why the server does not take it, where it says so
 */
export function followStream(url, { onSummary, onTasks, onConnection }) {
  /** @type {EventSource | null} */
  let source = null
  let retryMs = firstRetryMs
  /** @type {number | undefined} */
  let timer
  /** @type {string | null} */
  let refusal = null

  function connect() {
    source?.close()
    source = new EventSource(url)
    source.addEventListener('open', () => {
      refusal = null
      expectMore()
      onConnection(true, null)
    })
    source.addEventListener('error', () => {
      // One that was not answered at all, the browser would try again.
      const isRefused = source?.readyState === EventSource.CLOSED
      if (!isRefused) refusal = null
      lose()
      if (isRefused) void askWhy()
    })
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
    onConnection(false, refusal)
  }

  /** An EventSource does not tell what it was answered. */
  async function askWhy() {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(silenceMs) })
      if (response.ok) return await response.body?.cancel()
      const answer = await response.json()
      refusal = answer.error?.message ?? `it answers ${response.status}.`
    } catch {
      // It cannot be reached any more, or what answers is no server of ours.
      refusal = null
    }
    if (source === null) onConnection(false, refusal)
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
