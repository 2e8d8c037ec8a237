import Table from 'cli-table3'

/** Two blanks between the columns instead. */
export const noLines = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '' },
}

const isNumber = (cell: string | undefined): boolean => /^[\d,.]+$/.test(cell ?? '')

/** A table of text for terminals and for tools such as grep; colours in the cells are fine. Columns of numbers stand to the right. */
export function plainTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const colAligns = head.map((_, at) => (rows.every((row) => isNumber(row[at])) ? 'right' : 'left'))
  const table = new Table({ head: [...head], chars: noLines, style: { head: [], border: [] }, colAligns })
  for (const row of rows) table.push([...row])
  return table.toString()
}
