import { CodedError } from '../../errors.ts'
import { type Dimension, inCountedOrder, TOTAL_KEY } from '../domain/dimensions.ts'
import type { KeyedRow, LoginStatsTable, RowOrder } from '../table/index.ts'

export interface Selection {
  /** Only these; all if empty. */
  readonly dimensions: readonly string[]
  /** They come in this order, those that are not counted any more after them. */
  readonly counted: readonly Dimension[]
  readonly order: 'top' | 'least'
  /** By the logins in this rolling window; by all if null. */
  readonly window: string | null
  /** Rows of each dimension; null: all. */
  readonly limit: number | null
}

/** The rows of one dimension, in order. */
export interface DimensionRows {
  readonly dimension: string
  readonly rows: readonly KeyedRow[]
  /** Of all its rows, also those that are not selected. */
  readonly keyCount: number
}

/** Throws CONFIG_INVALID where the table has rows, but none of such a dimension or window. */
export async function refuseUnknown(
  table: Pick<LoginStatsTable, 'keyCounts' | 'ordered'>,
  { dimensions, window }: Selection,
): Promise<void> {
  const known = [...table.keyCounts.keys()]
  const [first] = known
  if (first === undefined) return
  const refuse = (option: string, given: string, names: readonly string[]): void => {
    if (names.includes(given)) return
    const detail = `--${option} ${given}: the table has ${names.length === 0 ? 'none' : names.join(', ')}.`
    throw new CodedError('CONFIG_INVALID', { operation: 'table', detail })
  }
  for (const dimension of dimensions) refuse('dimension', dimension, known)
  if (window === null) return
  const [row] = await table.ordered(first, { by: 'count', direction: 'falling' }, 1)
  if (row !== undefined) refuse('window', window, Object.keys(row.rolling))
}

/** By dimension, the total first. */
export async function selectRows(
  table: Pick<LoginStatsTable, 'keyCounts' | 'ordered'>,
  { dimensions, counted, order, window, limit }: Selection,
): Promise<DimensionRows[]> {
  const rowOrder: RowOrder = {
    by: window === null ? 'count' : { window },
    direction: order === 'top' ? 'falling' : 'rising',
  }
  const names = [TOTAL_KEY, ...inCountedOrder(table.keyCounts.keys(), counted)].filter(
    (name) => dimensions.length === 0 || dimensions.includes(name),
  )
  const selected: DimensionRows[] = []
  for (const dimension of names) {
    const keyCount = table.keyCounts.get(dimension) ?? 0
    const rows = await table.ordered(dimension, rowOrder, limit ?? keyCount)
    if (rows.length > 0) selected.push({ dimension, rows, keyCount })
  }
  return selected
}
