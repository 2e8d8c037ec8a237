/** A row that says a count: where it stands, and which key it is of. */
export interface CountRow {
  readonly key: string
  readonly count: number
}

interface Entry {
  count: number
  partition: number
  /** Of the first row that said this count. */
  offset: number
}

/** The last count of each key of a table, with the place where it was first said; and the sum of the counts of each dimension. */
export class TableContents {
  readonly #entries = new Map<string, Entry>()
  /** By dimension, which is the part of a key before the colon. */
  readonly #sums = new Map<string, number>()

  add({ key, count }: CountRow, partition: number, offset: number): void {
    const dimension = key.slice(0, key.indexOf(':'))
    const entry = this.#entries.get(key)
    if (entry === undefined) this.#entries.set(key, { count, partition, offset })
    else if (entry.count !== count) {
      this.#sums.set(dimension, (this.#sums.get(dimension) ?? 0) - entry.count)
      entry.count = count
      entry.partition = partition
      entry.offset = offset
    } else return
    this.#sums.set(dimension, (this.#sums.get(dimension) ?? 0) + count)
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  get keyCount(): number {
    return this.#entries.size
  }

  /** Whether each of the dimensions has counted so many. */
  isComplete(dimensions: readonly string[], logins: number): boolean {
    return dimensions.every((dimension) => this.#sums.get(dimension) === logins)
  }

  /** What the dimensions have counted, for messages. */
  get sums(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#sums)
  }

  get counts(): Map<string, number> {
    return new Map([...this.#entries].map(([key, { count }]) => [key, count]))
  }

  place(key: string): { readonly partition: number; readonly offset: number } | null {
    return this.#entries.get(key) ?? null
  }

  /** The places of the first rows that said what the table says now. */
  places(): Iterable<{ readonly partition: number; readonly offset: number }> {
    return this.#entries.values()
  }
}
