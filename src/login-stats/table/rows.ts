import { dimensionNameOf } from '../domain/dimensions.ts'
import type { TableRow } from '../domain/table-row.ts'

/** A row of the table with its key, such as `locale:RU`. */
export interface KeyedRow extends TableRow {
  readonly key: string
}

/** What a record of the table says: a row, or that the key is gone. */
export interface RowChange {
  readonly key: string
  readonly row: KeyedRow | null
}

/** With the value of the record, by which a row is kept on disk. */
export interface RecordedChange extends RowChange {
  readonly json: Buffer | null
}

/** The last row of each key, in memory or on disk. One call at a time changes it. */
export interface Rows {
  readonly size: number
  /** How many keys each dimension has, in the order in which they were first seen. */
  readonly keyCounts: ReadonlyMap<string, number>
  apply(changes: readonly RecordedChange[]): Promise<void>
  get(key: string): Promise<KeyedRow | null>
  /** The rows of one dimension, or all, in chunks, in no particular order. */
  chunks(dimension: string | null): AsyncIterable<readonly KeyedRow[]>
  clear(): Promise<void>
  close(): Promise<void>
}

export class RowsInMemory implements Rows {
  readonly #byDimension = new Map<string, Map<string, KeyedRow>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get keyCounts(): Map<string, number> {
    return new Map([...this.#byDimension].map(([dimension, rows]) => [dimension, rows.size]))
  }

  async apply(changes: readonly RowChange[]): Promise<void> {
    for (const { key, row } of changes) {
      const dimension = dimensionNameOf(key)
      const rows = this.#byDimension.get(dimension) ?? new Map<string, KeyedRow>()
      this.#size -= rows.size
      if (row === null) rows.delete(key)
      else rows.set(key, row)
      this.#size += rows.size
      if (rows.size === 0) this.#byDimension.delete(dimension)
      else this.#byDimension.set(dimension, rows)
    }
  }

  async get(key: string): Promise<KeyedRow | null> {
    return this.#byDimension.get(dimensionNameOf(key))?.get(key) ?? null
  }

  async *chunks(dimension: string | null): AsyncGenerator<readonly KeyedRow[]> {
    for (const [name, rows] of this.#byDimension) {
      if (dimension === null || dimension === name) yield [...rows.values()]
    }
  }

  async clear(): Promise<void> {
    this.#byDimension.clear()
    this.#size = 0
  }

  async close(): Promise<void> {}
}
