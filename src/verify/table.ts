/** The table as a reader sees it, folded into a ledger: of each key the last row, or the one that the changelog goes with. */
import type { Differences } from './differences.ts'
import { field, type Ledger, rolling } from './ledger.ts'
import { Misplaced } from './misplaced.ts'
import type { KafkaRecord } from './record-batch.ts'
import type { RecountRules } from './recount.ts'
import { readRowKey } from './row-key.ts'

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

/** What is wrong with a row whatever the counts are. */
export interface Oddity {
  readonly what: string
  readonly expected: number | string | null
  readonly found: number | string | null
}

const windowName = /^\d{1,9}[a-z]{1,2}$/

export class Table {
  readonly misplaced = new Misplaced('table')
  /** By entry of the ledger. */
  readonly oddities = new Map<number, readonly Oddity[]>()
  readonly #ledger: Ledger
  readonly #rules: RecountRules
  readonly #differences: Differences
  #marked = false

  /** Counts that fall from one row of a key to the next are told to `differences` at once. */
  constructor(ledger: Ledger, rules: RecountRules, differences: Differences) {
    this.#ledger = ledger
    this.#rules = rules
    this.#differences = differences
  }

  /**
   * The ledger now has the counters of the changelog, and the rows that follow may be of later commits: from now on, of the
   * rows of a key the last one that says what the counter says is kept. Under load that is not always the last one.
   */
  mark(): void {
    this.#marked = true
  }

  add(record: KafkaRecord, partition: number): void {
    const ledger = this.#ledger
    const key = record.key?.toString() ?? ''
    const index = ledger.entry(key)
    if (index < 0) return
    const own = ledger.get(index, field.partition)
    if (partition !== own) {
      if (record.value === null) this.misplaced.delete(key, partition)
      else this.misplaced.put(key, own, { partition, offset: record.offset })
      return
    }
    if (record.value === null) this.#delete(index, record.offset)
    else this.#put(index, key, record.value, record.offset)
  }

  #delete(index: number, offset: number): void {
    const ledger = this.#ledger
    ledger.set(index, field.rowPlace, 0)
    ledger.set(index, field.lastRowCount, 0)
    ledger.set(index, field.tombstonePlace, offset + 1)
    this.oddities.delete(index)
  }

  #put(index: number, key: string, value: Buffer, offset: number): void {
    const ledger = this.#ledger
    const row = readRow(value)
    const count = typeof row?.count === 'number' ? row.count : Number.NaN
    const last = ledger.get(index, field.lastRowCount)
    if (count < last)
      this.#differences.add({
        ...{ where: 'table', what: 'count falls', key, expected: last, found: count },
        partition: ledger.get(index, field.partition),
        records: [{ partition: ledger.get(index, field.partition), offset }],
      })
    if (!Number.isNaN(count)) ledger.set(index, field.lastRowCount, count)
    if (this.#marked && this.#isKept(index, count)) return
    ledger.set(index, field.rowPlace, offset + 1)
    ledger.set(index, field.rowCount, count)
    ledger.set(index, field.rowFirstSeen, Date.parse(String(row?.first_seen)))
    ledger.set(index, field.rowLastSeen, Date.parse(String(row?.last_seen)))
    ledger.set(index, field.rowAsOf, Date.parse(String(row?.as_of)))
    for (const [window, { name }] of this.#rules.windows.entries())
      ledger.set(index, ledger.rollingAt(rolling.row, window), Number(row?.rolling?.[name] ?? Number.NaN))
    const oddities = row === null ? [unreadable(value)] : this.#odditiesOf(key, row)
    if (oddities.length > 0) this.oddities.set(index, oddities)
    else this.oddities.delete(index)
  }

  /** The row that is there goes with the counter, and the new one does not. */
  #isKept(index: number, newCount: number): boolean {
    const ledger = this.#ledger
    // The changelog did not know the key: the new row is of a later commit, which is not compared.
    if (ledger.get(index, field.counterPlace) === 0) return true
    if (ledger.get(index, field.rowPlace) === 0) return false
    const counterCount = ledger.get(index, field.counterCount)
    return ledger.get(index, field.rowCount) === counterCount && newCount !== counterCount
  }

  #odditiesOf(key: string, row: Partial<TableRow>): Oddity[] {
    const { dimensions, windows } = this.#rules
    const oddities: Oddity[] = []
    const named = readRowKey(key, dimensions)
    if (named !== null)
      for (const what of ['dimension', 'value'] as const)
        if (row[what] !== named[what])
          oddities.push({ what, expected: named[what], found: hidden(row[what]) })
    for (const [name, found] of Object.entries(row.rolling ?? {}))
      if (!windows.some((window) => window.name === name))
        oddities.push({
          what: windowName.test(name) ? `rolling.${name}` : 'rolling',
          expected: null,
          found: typeof found === 'number' ? found : hidden(found),
        })
    return oddities
  }
}

/** Null for bytes that are no JSON object. */
function readRow(value: Buffer): Partial<TableRow> | null {
  try {
    const row: unknown = JSON.parse(value.toString())
    return typeof row === 'object' && row !== null ? row : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** What it says instead is not told: it may be personal. */
function hidden(found: unknown): string {
  return typeof found === 'string' ? `another text (length ${found.length})` : 'no text'
}

/** Nor is this. */
function unreadable({ length }: Buffer): Oddity {
  return { what: 'row', expected: 'a row', found: `none in ${length} ${length === 1 ? 'byte' : 'bytes'}` }
}
