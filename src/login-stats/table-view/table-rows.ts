import type { TableRow } from '../domain/table-row.ts'

export interface KeyedRow extends TableRow {
  readonly key: string
}

export interface Selection {
  /** Only these; all if empty. */
  readonly dimensions: readonly string[]
  readonly order: 'top' | 'least'
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

/** The table as far as it has been read: the last row of each key. */
export class TableRows {
  readonly #rows = new Map<string, KeyedRow>()

  /** A null row deletes. */
  apply(key: string, row: TableRow | null): void {
    if (row === null) this.#rows.delete(key)
    else this.#rows.set(key, { key, ...row })
  }

  get(key: string): KeyedRow | undefined {
    return this.#rows.get(key)
  }

  /** By dimension, the total first, then in the order in which they were first seen; rows by count, then by value. */
  select({ dimensions, order, limit }: Selection): DimensionRows[] {
    const byDimension = new Map<string, KeyedRow[]>([['total', []]])
    for (const row of this.#rows.values()) {
      if (dimensions.length > 0 && !dimensions.includes(row.dimension)) continue
      const rows = byDimension.get(row.dimension)
      if (rows === undefined) byDimension.set(row.dimension, [row])
      else rows.push(row)
    }
    const sign = order === 'top' ? -1 : 1
    return [...byDimension]
      .filter(([, rows]) => rows.length > 0)
      .map(([dimension, rows]) => {
        rows.sort((a, b) => sign * (a.count - b.count) || (a.value < b.value ? -1 : 1))
        return { dimension, rows: limit === null ? rows : rows.slice(0, limit), keyCount: rows.length }
      })
  }
}
