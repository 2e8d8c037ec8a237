// @ts-check
/** A card for each dimension: its rows as a ranking, each with a bar, its number, its share and its rate of the last minutes. */
import { sparkline } from './charts.js'
import {
  cell,
  childrenOf,
  element,
  foreignText,
  headingCell,
  setBar,
  setText,
  table,
  tableBody,
  tableRow,
} from './elements.js'
import * as format from './format.js'
import { chartSpan } from './history.js'
import { loginsOf, ranking } from './ranking.js'

/** @import { Row } from '../http/api-schemas.ts' */
/** @import { View } from './elements.js' */
/** @import { CountHistory } from './history.js' */

/** @typedef {{ key_count: number, top: readonly Row[], least: readonly Row[] }} DimensionRows */

/**
 * @typedef {object} Dimension
 * @property {string} dimension
 * @property {DimensionRows} rows
 * @property {string | null} window null: all time
 * @property {boolean} isOfWindow whether `rows` are those with the most and fewest logins of that window
 * @property {number | null} all the logins of the window, of which each row has a share
 * @property {number} now
 */

/**
 * @typedef {object} RowItem
 * @property {Row} row
 * @property {string | null} window
 * @property {number} most the logins of the first row: its bar is the whole width
 * @property {number | null} all
 * @property {number} now
 */

/** How far back the sparklines go. */
export const sparklineSpanMs = 120_000

const columns = [
  { label: 'Value', class: 'value' },
  { label: 'Logins', class: 'number' },
  { label: 'Share', class: 'number share' },
  { label: 'Last 2 min', class: 'trend' },
]

/**
 * @param {HTMLElement} parent
 * @param {CountHistory} history
 */
export function dimensionCards(parent, history) {
  return childrenOf(
    parent,
    (/** @type {Dimension} */ { dimension }) => dimension,
    ({ dimension }) => card(dimension, history),
  )
}

/**
 * @param {string} dimension
 * @param {CountHistory} history
 * @returns {View<Dimension>}
 */
function card(dimension, history) {
  const title = format.dimensionTitle(dimension)
  const size = element('p', { class: 'aside' })
  const heading = element('header', { class: 'card-heading' }, element('h2', {}, title), size)
  const { root: rows, caption } = table('', columns)
  const [top, hidden, least] = [tableBody(), tableBody(), tableBody()]
  const hiddenText = cell('hidden-rows')
  hiddenText.setAttribute('colspan', String(columns.length))
  hidden.append(tableRow(hiddenText))
  rows.append(top, hidden, least)
  const rowList = (/** @type {HTMLElement} */ body) =>
    childrenOf(
      body,
      (/** @type {RowItem} */ { row }) => row.key,
      () => rowView(history),
    )
  const [showTop, showLeast] = [rowList(top), rowList(least)]

  return {
    root: element('section', { class: 'card dimension', 'aria-label': title }, heading, rows),
    update({ rows: known, window, isOfWindow, all, now }) {
      const ranked = ranking(known, window)
      const first = ranked.top[0]
      const most = first === undefined ? 0 : loginsOf(first, window)
      const item = (/** @type {Row} */ row) => ({ row, window, most, all, now })
      showTop(ranked.top.map(item))
      showLeast(ranked.least.map(item))
      hidden.hidden = ranked.hiddenCount === 0
      setText(hiddenText, `${format.count(ranked.hiddenCount)} more, then the least active`)
      const values = format.counted(known.key_count, 'value')
      setText(size, isOfWindow ? values : `${values}, those of all time`)
      setText(caption, `${title}: logins ${window === null ? 'of all time' : `of the last ${window}`}`)
    },
    close() {
      showTop([])
      showLeast([])
    },
  }
}

/**
 * @param {CountHistory} history
 * @returns {View<RowItem>}
 */
function rowView(history) {
  const name = foreignText()
  const bar = element('span', { class: 'bar', 'aria-hidden': 'true' })
  const logins = cell('number')
  const share = cell('number share')
  const chart = sparkline()
  const pace = element('span', { class: 'unseen' })
  const heading = headingCell('value', bar, element('span', { class: 'clamped' }, name))
  return {
    root: tableRow(heading, logins, share, cell('trend', chart.root, pace)),
    update({ row, window, most, all, now }) {
      const value = format.rowValue(row)
      const count = loginsOf(row, window)
      setText(name, value)
      if (heading.title !== value) heading.title = value
      setBar(bar, most === 0 ? 0 : count / most)
      setText(logins, format.count(count))
      setText(share, format.share(count, all))
      const points = history.points(row.key)
      chart.draw(points, chartSpan(points[0][0], now, sparklineSpanMs))
      setText(pace, `${format.rate(points[1].at(-1))} per second`)
    },
    close: chart.close,
  }
}
