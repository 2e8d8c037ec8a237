// @ts-check
/** A card for each dimension: its rows as a ranking, each with a bar, its number, its share and its rate of the last minutes. */
import { sparkline } from './charts.js'
import { childrenOf, element, setText } from './elements.js'
import * as format from './format.js'
import { loginsOf, ranking } from './ranking.js'
import { barHeading, cell, table, tableBody, tableRow } from './tables.js'

/** @import { Row } from '../http/api-schemas.ts' */
/** @import { View } from './elements.js' */
/** @import { CountHistory } from './history.js' */
/** @import { DimensionRows } from './ranking.js' */

/**
 * @typedef {object} Dimension
 * @property {string} dimension
 * @property {DimensionRows} rows
 * @property {string | null} window null: all time
 * @property {boolean} isOfWindow whether `rows` are those with the most and fewest logins of that window
 * @property {number | null} all the logins of all rows of the dimension, of which each has a share; null where that is not known
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

/** So many rows are about as high as two short rankings. */
const longRanking = 8

const columns = [
  { label: 'Value', class: 'value' },
  { label: 'Logins', class: 'number' },
  { label: 'Share', class: 'number share' },
  {
    label: 'Rate, 2 min',
    class: 'trend',
    title: 'Logins per second over the last two minutes, each row in its own scale',
  },
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
  const [top, hidden, least] = [tableBody(), tableBody(), tableBody()]
  const { root: rows, caption } = table('', columns, top, hidden, least)
  const hiddenText = cell('hidden-rows')
  hiddenText.setAttribute('colspan', String(columns.length))
  hidden.append(tableRow(hiddenText))
  const rowList = (/** @type {HTMLElement} */ body) =>
    childrenOf(
      body,
      (/** @type {RowItem} */ { row }) => row.key,
      () => rowView(history),
    )
  const [showTop, showLeast] = [rowList(top), rowList(least)]

  const root = element('section', { class: 'card dimension', 'aria-label': title }, heading, rows)
  return {
    root,
    update({ rows: known, window, isOfWindow, all, now }) {
      const ranked = ranking(known, window)
      const first = ranked.top[0]
      const most = first === undefined ? 0 : loginsOf(first, window)
      const item = (/** @type {Row} */ row) => ({ row, window, most, all, now })
      showTop(ranked.top.map(item))
      showLeast(ranked.least.map(item))
      hidden.hidden = ranked.hiddenCount === 0
      root.toggleAttribute('data-long', ranked.top.length + ranked.least.length >= longRanking)
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
  const heading = barHeading()
  const logins = cell('number')
  const share = cell('number share')
  const chart = sparkline()
  const pace = element('span', { class: 'unseen' })
  return {
    root: tableRow(heading.root, logins, share, cell('trend', chart.root, pace)),
    update({ row, window, most, all, now }) {
      const count = loginsOf(row, window)
      heading.update(format.rowValue(row), most === 0 ? 0 : count / most)
      setText(logins, format.count(count))
      setText(share, format.share(count, all))
      const points = history.points(row.key)
      chart.draw(points, [(now - sparklineSpanMs) / 1000, now / 1000])
      setText(pace, `${format.rate(points[1].at(-1))} per second`)
    },
    close: chart.close,
  }
}
