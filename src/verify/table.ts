/** The table as a reader sees it: the last row per key, and the rows that came since a point of the reading. */

import type { KafkaRecord } from './record-batch.ts'
import type { Difference } from './report.ts'

/** A row as it stands in the topic. */
export interface TableRow {
  readonly dimension: string
  readonly value: string
  readonly count: number
  readonly rolling: Readonly<Record<string, number>>
  readonly first_seen: string
  readonly last_seen: string
  readonly as_of: string
}

export class Table {
  /**
   * By key: the row that was the last when `mark` was called, and those that followed. Under load the changelog's value is one
   * of them; a table at rest has one row for each key.
   */
  readonly rows = new Map<string, TableRow[]>()
  readonly partitions = new Map<string, number>()
  /** Rows whose count was lower than that of the row before. */
  readonly fallen: Difference[] = []
  #marked = false

  /** From now on the rows of a key are kept beside one another. */
  mark(): void {
    this.#marked = true
  }

  add(record: KafkaRecord, partition: number): void {
    const key = record.key?.toString() ?? ''
    if (record.value === null) {
      this.rows.delete(key)
      this.partitions.delete(key)
      return
    }
    const row: TableRow = JSON.parse(record.value.toString())
    const before = this.rows.get(key)
    const last = before?.at(-1)
    if (last !== undefined && row.count < last.count)
      this.fallen.push({
        where: 'table',
        what: 'count falls',
        key,
        partition,
        expected: last.count,
        found: row.count,
      })
    this.rows.set(key, this.#marked && before !== undefined ? [...before, row] : [row])
    this.partitions.set(key, partition)
  }
}
