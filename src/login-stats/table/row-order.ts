import type { KeyedRow } from './rows.ts'

/** By what rows are put in order: their count, their value, or the count of a rolling window. */
export interface RowOrder {
  readonly by: 'count' | 'value' | { readonly window: string }
  readonly direction: 'rising' | 'falling'
}

export type CompareRows = (a: KeyedRow, b: KeyedRow) => number

/** Rows that are equal otherwise stand by key, so that an order is always the same. */
export function comparing({ by, direction }: RowOrder): CompareRows {
  const sign = direction === 'rising' ? 1 : -1
  const byKey: CompareRows = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
  if (by === 'value')
    return (a, b) => sign * (a.value < b.value ? -1 : a.value > b.value ? 1 : 0) || byKey(a, b)
  const window = by === 'count' ? undefined : by.window
  return (a, b) => sign * (loginsOf(a, window) - loginsOf(b, window)) || byKey(a, b)
}

/** The logins of a row, all of them or those in a window: none in one that it does not have, also where all objects have something of that name. */
export function loginsOf({ count, rolling }: KeyedRow, window: string | undefined): number {
  if (window === undefined) return count
  return Object.hasOwn(rolling, window) ? (rolling[window] ?? 0) : 0
}

/** The first `limit` of what is offered, in order, without holding more than twice as many. */
export class First {
  readonly #limit: number
  readonly #compare: CompareRows
  #rows: KeyedRow[] = []
  /** None that comes after this one can be among the first any more. */
  #worst: KeyedRow | null = null

  /** Throws a RangeError where `limit` is no whole number from 0 on. */
  constructor(limit: number, compare: CompareRows) {
    if (!Number.isSafeInteger(limit) || limit < 0)
      throw new RangeError(`limit must be a whole number from 0 on, not ${limit}`)
    this.#limit = limit
    this.#compare = compare
  }

  offer(row: KeyedRow): void {
    if (this.#limit === 0 || (this.#worst !== null && this.#compare(row, this.#worst) >= 0)) return
    this.#rows.push(row)
    if (this.#rows.length >= 2 * this.#limit + 32) this.#cut()
  }

  get rows(): KeyedRow[] {
    this.#cut()
    return [...this.#rows]
  }

  #cut(): void {
    this.#rows.sort(this.#compare)
    if (this.#rows.length < this.#limit) return
    this.#rows.length = this.#limit
    this.#worst = this.#rows.at(-1) ?? null
  }
}
