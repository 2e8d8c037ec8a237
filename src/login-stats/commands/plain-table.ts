import Table from 'cli-table3'

/** No lines, two blanks between columns. */
const bare = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '' },
}

/** A table of text for terminals and for tools such as grep; colours in the cells are fine. */
export function plainTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({ head: [...head], chars: bare, style: { head: [], border: [] } })
  for (const row of rows) table.push([...row])
  return table.toString()
}
