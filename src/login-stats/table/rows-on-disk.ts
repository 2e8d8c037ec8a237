/**
 * Rows of a table that is too large for memory, in a LevelDB of their own: the key's bytes, and the row's as they came. It is no state:
 * it is deleted when it is closed.
 */
import type { Database, DatabaseOpener } from '../../ports/database.ts'
import { dimensionNameOf, keyRange } from '../domain/dimensions.ts'
import { parseRow } from '../domain/table-row.ts'
import type { KeyedRow, RecordedChange, Rows } from './rows.ts'
import { TableDirectory } from './table-directory.ts'

const beyondAllKeys = Buffer.of(0xff)

export class RowsOnDisk implements Rows {
  readonly keyCounts = new Map<string, number>()
  readonly #opener: DatabaseOpener
  readonly #directory: TableDirectory
  #database: Database
  #size = 0

  /** In a directory of its own within `directory`. Throws STATE_DIR_UNUSABLE. */
  static async open(opener: DatabaseOpener, directory: string): Promise<RowsOnDisk> {
    const own = await TableDirectory.claim(directory, opener)
    try {
      return new RowsOnDisk(opener, own, await opener.open(own.rows))
    } catch (error) {
      await own.remove()
      throw error
    }
  }

  private constructor(opener: DatabaseOpener, directory: TableDirectory, database: Database) {
    this.#opener = opener
    this.#directory = directory
    this.#database = database
  }

  get size(): number {
    return this.#size
  }

  async apply(changes: readonly RecordedChange[]): Promise<void> {
    // Of each key the last one, as the database shall have it.
    const last = new Map(changes.map((change) => [change.key, change]))
    const keys = [...last.keys()]
    const before = await this.#database.getMany(keys.map((key) => Buffer.from(key)))
    for (const [at, key] of keys.entries()) {
      const isThere = last.get(key)?.json !== null
      this.#count(dimensionNameOf(key), Number(isThere) - Number(before[at] !== undefined))
    }
    const operations = [...last.values()].map(({ key, json }) =>
      json === null
        ? ({ type: 'del', key: Buffer.from(key) } as const)
        : ({ type: 'put', key: Buffer.from(key), value: json } as const),
    )
    await this.#database.batch(operations, { sync: false })
  }

  #count(dimension: string, more: number): void {
    this.#size += more
    const count = (this.keyCounts.get(dimension) ?? 0) + more
    if (count === 0) this.keyCounts.delete(dimension)
    else this.keyCounts.set(dimension, count)
  }

  async get(key: string): Promise<KeyedRow | null> {
    const [json] = await this.#database.getMany([Buffer.from(key)])
    return json === undefined ? null : rowOf(key, json)
  }

  async *chunks(dimension: string | null): AsyncGenerator<readonly KeyedRow[]> {
    // A key without a colon is a dimension of its own, with one row.
    const alone = dimension === null ? null : await this.get(dimension)
    if (alone !== null) yield [alone]
    const range = dimension === null ? { gte: Buffer.alloc(0), lt: beyondAllKeys } : keyRange(dimension)
    for await (const chunk of this.#database.entries(range)) {
      yield chunk.flatMap(([key, json]) => rowOf(key.toString(), json) ?? [])
    }
  }

  async clear(): Promise<void> {
    await this.#database.close()
    await this.#opener.destroy(this.#directory.rows)
    this.#database = await this.#opener.open(this.#directory.rows)
    this.keyCounts.clear()
    this.#size = 0
  }

  async close(): Promise<void> {
    await this.#database.close()
    await this.#directory.remove()
  }
}

function rowOf(key: string, json: Buffer): KeyedRow | null {
  const row = parseRow(json)
  return row === null ? null : { key, ...row }
}
