import type { KeyedRow, LoginStatsTable, RowOrder } from '../table/index.ts'

export interface Selection {
  /** Only these; all if empty. */
  readonly dimensions: readonly string[]
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

/** By dimension, the total first, then in the order in which they were first seen. */
export async function selectRows(
  table: Pick<LoginStatsTable, 'keyCounts' | 'ordered'>,
  { dimensions, order, window, limit }: Selection,
): Promise<DimensionRows[]> {
  const rowOrder: RowOrder = {
    by: window === null ? 'count' : { window },
    direction: order === 'top' ? 'falling' : 'rising',
  }
  const names = [...table.keyCounts.keys()].filter(
    (name) => dimensions.length === 0 || dimensions.includes(name),
  )
  names.sort((a, b) => Number(b === 'total') - Number(a === 'total'))
  const selected: DimensionRows[] = []
  for (const dimension of names) {
    const keyCount = table.keyCounts.get(dimension) ?? 0
    const rows = await table.ordered(dimension, rowOrder, limit ?? keyCount)
    if (rows.length > 0) selected.push({ dimension, rows, keyCount })
  }
  return selected
}
