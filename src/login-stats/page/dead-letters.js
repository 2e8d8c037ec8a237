// @ts-check
/** How many records could not be read, by the code of the reason. */
import {
  byId,
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

/** @import { DeadLetters, Summary } from '../http/api-schemas.ts' */
/** @import { View } from './elements.js' */

/** @typedef {{ code: string, count: number, most: number }} CodeItem */

const columns = [
  { label: 'Reason', class: 'value' },
  { label: 'Records', class: 'number' },
]

export function deadLettersView() {
  const [total, none] = [byId('dead-letter-total'), byId('no-dead-letters')]
  const { root } = table('Records that could not be read, by reason', columns)
  const body = tableBody()
  root.append(body)
  byId('dead-letter-table').append(root)
  const show = childrenOf(body, (/** @type {CodeItem} */ { code }) => code, codeRow)
  return {
    /** @param {Summary | null} summary */
    update(summary) {
      const deadLetters = summary?.dead_letters ?? null
      const items = deadLetters === null ? [] : byCount(deadLetters)
      show(items)
      root.hidden = items.length === 0
      none.hidden = items.length > 0 || summary === null
      setText(
        none,
        deadLetters === null
          ? 'There is no dead-letter topic, or it has not been read yet.'
          : 'None: every record could be read.',
      )
      setText(total, deadLetters === null ? '' : format.count(deadLetters.count))
    },
  }
}

/** @param {DeadLetters} deadLetters @returns {CodeItem[]} */
function byCount({ by_code }) {
  const codes = Object.entries(by_code).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  const most = codes[0]?.[1] ?? 0
  return codes.map(([code, count]) => ({ code, count, most }))
}

/** @returns {View<CodeItem>} */
function codeRow() {
  const name = foreignText()
  const bar = element('span', { class: 'bar', 'aria-hidden': 'true' })
  const records = cell('number')
  return {
    root: tableRow(headingCell('value', bar, element('span', { class: 'clamped' }, name)), records),
    update({ code, count, most }) {
      setText(name, format.readable(code))
      setBar(bar, most === 0 ? 0 : count / most)
      setText(records, format.count(count))
    },
  }
}
