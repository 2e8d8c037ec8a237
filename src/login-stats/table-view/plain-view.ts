import { dimensionNameOf } from '../domain/dimensions.ts'
import { printableJson } from '../printable.ts'
import type { KeyedRow, LoginStatsTable } from '../table/index.ts'
import { rowLine } from './render.ts'
import { type Selection, selectRows } from './select-rows.ts'

/**
 * The table as lines for programs: first all selected rows, a line each, and then those that change. Of JSON lines whoever keeps the last one
 * of each key has the table: `{"key":…,"deleted":true}` says that a row is gone, and `{"restart":true}` that all are, for the topic is another
 * one now; all its rows follow.
 */
export class PlainView {
  readonly #write: (text: string) => void
  readonly #table: Pick<LoginStatsTable, 'get' | 'isComplete' | 'keyCounts' | 'ordered'>
  readonly #selection: Selection
  readonly #isJson: boolean
  #changed = new Set<string>()
  /** All rows come next. */
  #isFirst = true
  #hasWritten = false

  constructor(
    write: (text: string) => void,
    table: Pick<LoginStatsTable, 'get' | 'isComplete' | 'keyCounts' | 'ordered'>,
    selection: Selection,
    { isJson }: { readonly isJson: boolean },
  ) {
    this.#write = write
    this.#table = table
    this.#selection = selection
    this.#isJson = isJson
  }

  changed(key: string): void {
    this.#changed.add(key)
  }

  /** The rows that were written are not those of the table any more. */
  restarted(): void {
    this.#isFirst = true
  }

  /** Writes what is new. Throws TABLE_NOT_READ; what was to be written comes with the next call then. */
  async draw(): Promise<void> {
    if (!this.#table.isComplete) return
    // What changes while rows are read comes with the next lines.
    const keys = this.#changed
    this.#changed = new Set()
    if (this.#isFirst) await this.#drawAll()
    else for (const key of keys) if (this.#isWanted(key)) this.#drawRow(key, await this.#table.get(key))
  }

  async #drawAll(): Promise<void> {
    const dimensions = await selectRows(this.#table, this.#selection)
    this.#isFirst = false
    if (this.#hasWritten && this.#isJson) this.#write(`${JSON.stringify({ restart: true })}\n`)
    this.#hasWritten = true
    for (const row of dimensions.flatMap(({ rows }) => rows)) this.#drawRow(row.key, row)
  }

  #drawRow(key: string, row: KeyedRow | null): void {
    if (this.#isJson) this.#write(`${printableJson(row ?? { key, deleted: true })}\n`)
    else if (row !== null) this.#write(`${rowLine(row)}\n`)
  }

  #isWanted(key: string): boolean {
    const { dimensions } = this.#selection
    return dimensions.length === 0 || dimensions.includes(dimensionNameOf(key))
  }
}
