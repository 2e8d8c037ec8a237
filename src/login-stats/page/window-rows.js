// @ts-check
/**
 * The rows with the most and the fewest logins of a rolling window. The summaries of the stream hold those of all time, which are others: where
 * these are not all rows of a dimension, the server is asked.
 */
import { hasAllRows } from './ranking.js'

/** @import { DimensionRows } from './ranking.js' */
/** @import { Row, Summary } from '../http/api-schemas.ts' */

const everyMs = 2_000
const timeoutMs = 5_000

/** @param {(rows: readonly Row[]) => void} onRows rows have come */
export function windowRows(onRows) {
  /** @type {Map<string, DimensionRows>} */
  const known = new Map()
  /** @type {string | null} */
  let chosen = null
  let askedAt = Number.NEGATIVE_INFINITY
  let isAsking = false

  /** @param {string} window */
  async function refresh(window) {
    isAsking = true
    try {
      const { dimensions } = await summaryOf(window)
      if (chosen !== window) return
      known.clear()
      for (const rows of dimensions) known.set(rows.dimension, rows)
      onRows(dimensions.flatMap(({ top, least }) => [...top, ...least]))
    } catch {
      // Old rows must not stand among new ones: those of the stream take their place until the server answers again.
      known.clear()
    } finally {
      isAsking = false
    }
  }

  return {
    /** @param {string | null} window null: all time */
    choose(window) {
      chosen = window
      known.clear()
      askedAt = Number.NEGATIVE_INFINITY
    },

    /** @param {Summary} summary @param {number} now */
    follow({ dimensions }, now) {
      if (chosen === null || isAsking || now - askedAt < everyMs) return
      askedAt = now
      if (dimensions.every(hasAllRows)) known.clear()
      else void refresh(chosen)
    },

    /** @param {string} dimension */
    of(dimension) {
      return known.get(dimension)
    },
  }
}

/** @param {string} window @returns {Promise<Summary>} */
async function summaryOf(window) {
  const query = new URLSearchParams({ limit: '10', window })
  const response = await fetch(`api/summary?${query}`, { signal: AbortSignal.timeout(timeoutMs) })
  if (!response.ok) throw new Error(`The server answers ${response.status}`)
  return response.json()
}
