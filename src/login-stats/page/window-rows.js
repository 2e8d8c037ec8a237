// @ts-check
/**
 * The rows with the most and the fewest logins of a rolling window. A summary holds those of all time, which are others: where it does not
 * hold all rows of a dimension, the table is asked for them.
 */
import { hasAllRows, leastCount, topCount } from './ranking.js'

/** @import { DimensionRows } from './dimensions.js' */
/** @import { Row, Rows, Summary } from '../http/api-schemas.ts' */

const everyMs = 2_000
const timeoutMs = 5_000

/** @param {(rows: readonly Row[]) => void} onRows rows have come */
export function windowRows(onRows) {
  /** @type {Map<string, DimensionRows>} */
  const known = new Map()
  /** @type {Set<string>} */
  const asked = new Set()
  /** @type {string | null} */
  let window = null
  let askedAt = Number.NEGATIVE_INFINITY

  /** @param {string} dimension @param {string} of */
  async function refresh(dimension, of) {
    const request = `${of} ${dimension}`
    if (asked.has(request)) return
    asked.add(request)
    try {
      const [top, least] = await Promise.all([
        ask(dimension, `-rolling.${of}`, topCount),
        ask(dimension, `rolling.${of}`, leastCount),
      ])
      if (window !== of) return
      known.set(dimension, { key_count: top.key_count, top: top.rows, least: least.rows })
      onRows([...top.rows, ...least.rows])
    } catch {
      // Old rows must not stand among new ones: those of the summary take their place until the server answers again.
      known.delete(dimension)
    } finally {
      asked.delete(request)
    }
  }

  return {
    /** @param {string | null} chosen null: all time */
    choose(chosen) {
      window = chosen
      known.clear()
      askedAt = Number.NEGATIVE_INFINITY
    },

    /** @param {Summary} summary @param {number} now */
    follow(summary, now) {
      if (window === null || now - askedAt < everyMs) return
      askedAt = now
      for (const rows of summary.dimensions) {
        if (hasAllRows(rows)) known.delete(rows.dimension)
        else void refresh(rows.dimension, window)
      }
    },

    /** @param {string} dimension */
    of(dimension) {
      return known.get(dimension)
    },
  }
}

/**
 * @param {string} dimension
 * @param {string} order
 * @param {number} limit
 * @returns {Promise<Rows>}
 */
async function ask(dimension, order, limit) {
  const query = new URLSearchParams({ dimension, order, limit: String(limit) })
  const response = await fetch(`api/table?${query}`, { signal: AbortSignal.timeout(timeoutMs) })
  if (!response.ok) throw new Error(`The table answers ${response.status}`)
  return response.json()
}
