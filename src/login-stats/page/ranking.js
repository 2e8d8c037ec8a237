// @ts-check
/** Which rows of a dimension are shown, in which order. */

/** @import { Row } from '../http/api-schemas.ts' */

/** @typedef {{ key_count: number, sum: number, top: readonly Row[], least: readonly Row[] }} DimensionRows */

export const topCount = 10
export const leastCount = 3

/**
 * @typedef {object} Ranking
 * @property {Row[]} top the most logins first
 * @property {number} hiddenCount rows between `top` and `least` that are not shown
 * @property {Row[]} least the fewest logins last: the order goes on
 */

/**
 * The logins of a row in a rolling window.
 * @param {Row} row
 * @param {string | null} window its name; null: all logins
 */
export function loginsOf(row, window) {
  return window === null ? row.count : (row.rolling[window] ?? 0)
}

/**
 * @param {DimensionRows} rows the table's own order need not be that of `window`
 * @param {string | null} window
 * @returns {Ranking}
 */
export function ranking(rows, window) {
  const order = mostFirst(window)
  const known = distinct([...rows.top, ...rows.least])
  const isAll = known.length >= rows.key_count
  const top = (isAll ? known : [...rows.top]).sort(order).slice(0, topCount)
  const shown = new Set(top.map(({ key }) => key))
  const least = (isAll ? known : [...rows.least])
    .sort(order)
    .filter(({ key }) => !shown.has(key))
    .slice(-leastCount)
  return { top, least, hiddenCount: Math.max(0, rows.key_count - top.length - least.length) }
}

/**
 * Whether the rows of a summary are all that the dimension has: then they can be put into any order.
 * @param {DimensionRows} rows
 */
export function hasAllRows(rows) {
  return distinct([...rows.top, ...rows.least]).length >= rows.key_count
}

/**
 * The logins that the rows of a dimension have a share of: those of all its rows, never of the total, which another task counts.
 * @param {DimensionRows} rows
 * @param {string | null} window
 * @param {boolean} isOfWindow whether `rows` are of a summary of that window
 * @returns {number | null} null where it is not known
 */
export function loginsOfAll(rows, window, isOfWindow) {
  if (isOfWindow) return rows.sum
  return hasAllRows(rows)
    ? distinct([...rows.top, ...rows.least]).reduce((sum, row) => sum + loginsOf(row, window), 0)
    : null
}

/** @param {readonly Row[]} rows @returns {Row[]} */
function distinct(rows) {
  return [...new Map(rows.map((row) => [row.key, row])).values()]
}

/** @param {string | null} window @returns {(a: Row, b: Row) => number} */
function mostFirst(window) {
  return (a, b) => loginsOf(b, window) - loginsOf(a, window) || (a.key < b.key ? -1 : 1)
}
