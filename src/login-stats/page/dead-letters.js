// @ts-check
/** How many records could not be read, by the code of the reason. */
import { byId, setText } from './elements.js'
import * as format from './format.js'
import { barHeading, cell, listTable, tableRow } from './tables.js'

/** @import { DeadLetters, Summary } from '../http/api-schemas.ts' */
/** @import { View } from './elements.js' */

/** @typedef {{ code: string, count: number, most: number }} CodeItem */

const columns = [
  { label: 'Reason', class: 'value' },
  { label: 'Records', class: 'number' },
]

export function deadLettersView() {
  const [total, none] = [byId('dead-letter-total'), byId('no-dead-letters')]
  const { root, show } = listTable(
    'dead-letter-table',
    'Records that could not be read, by reason',
    columns,
    (/** @type {CodeItem} */ { code }) => code,
    codeRow,
  )
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
      setText(
        total,
        deadLetters === null || deadLetters.count === 0 ? '' : format.counted(deadLetters.count, 'record'),
      )
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
  const heading = barHeading()
  const records = cell('number')
  return {
    root: tableRow(heading.root, records),
    update({ code, count, most }) {
      heading.update(format.reason(code), most === 0 ? 0 : count / most)
      setText(records, format.count(count))
    },
  }
}
