// @ts-check
/** Tables, and what their rows are made of. Their roles are told: where a style makes blocks of rows, browsers forget that they are a table. */
import { byId, childrenOf, element, foreignText, setText } from './elements.js'

/** @import { View } from './elements.js' */

/** @typedef {readonly { label: string, class: string, title?: string }[]} Columns */

/**
 * @param {string} caption for who cannot see the heading above it
 * @param {Columns} columns
 * @param {...HTMLElement} bodies
 */
export function table(caption, columns, ...bodies) {
  const headings = columns.map(({ label, class: name, title }) =>
    element(
      'th',
      { scope: 'col', role: 'columnheader', class: name, ...(title === undefined ? {} : { title }) },
      label,
    ),
  )
  const head = element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...headings))
  const captionElement = element('caption', { class: 'unseen' }, caption)
  return {
    root: element('table', { role: 'table' }, captionElement, head, ...bodies),
    caption: captionElement,
  }
}

/**
 * A table of one body, whose rows are a list.
 * @template Item
 * @param {string} place the id of the element that it is put into
 * @param {string} caption
 * @param {Columns} columns
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => View<Item>} makeRow
 */
export function listTable(place, caption, columns, keyOf, makeRow) {
  const body = tableBody()
  const { root } = table(caption, columns, body)
  byId(place).append(root)
  return { root, show: childrenOf(body, keyOf, makeRow) }
}

export function tableBody() {
  return element('tbody', { role: 'rowgroup' })
}

/** @param {...Node} cells */
export function tableRow(...cells) {
  return element('tr', { role: 'row' }, ...cells)
}

/** @param {string} name @param {...(Node | string)} children */
export function cell(name, ...children) {
  return element('td', { role: 'cell', class: name }, ...children)
}

/** @param {string} name @param {...(Node | string)} children */
export function headingCell(name, ...children) {
  return element('th', { role: 'rowheader', scope: 'row', class: name }, ...children)
}

/** The heading of a row in a ranking: text from outside, cut where it is long, before a bar. */
export function barHeading() {
  const bar = element('span', { class: 'bar', 'aria-hidden': 'true' })
  const name = foreignText()
  const root = headingCell('value', bar, element('span', { class: 'clamped' }, name))
  return {
    root,
    /**
     * @param {string} text
     * @param {number} part how long the bar is, from 0 to 1
     */
    update(text, part) {
      setText(name, text)
      if (root.title !== text) root.title = text
      const width = `${(100 * Math.min(1, Math.max(0, part))).toFixed(2)}%`
      if (bar.style.width !== width) bar.style.width = width
    },
  }
}
