/** A value as the database holds it, or will hold it when the batch under way has been written. */
export interface CommittedValue {
  /** Null: the database has no such key. */
  readonly value: Buffer | null
  /** Of the envelope; 0 without a value. */
  readonly checksum: number
}

const entryOverheadInBytes = 200

/**
 * The committed values used last, by key (latin1), within a bound of bytes. Hot keys are read and written at each
 * commit, and every write needs the checksum of the value that it replaces.
 */
export class CommittedCache {
  readonly #maxBytes: number
  readonly #values = new Map<string, CommittedValue>()
  #sizeInBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get(name: string): CommittedValue | undefined {
    const found = this.#values.get(name)
    if (found === undefined) return undefined
    // A map goes by the order of insertion: what was used last moves to its end.
    this.#values.delete(name)
    this.#values.set(name, found)
    return found
  }

  set(name: string, value: CommittedValue): void {
    const old = this.#values.get(name)
    if (old !== undefined) {
      this.#values.delete(name)
      this.#sizeInBytes -= costOf(name, old)
    }
    this.#values.set(name, value)
    this.#sizeInBytes += costOf(name, value)
    if (this.#sizeInBytes <= this.#maxBytes) return
    for (const [oldestName, oldest] of this.#values) {
      this.#values.delete(oldestName)
      this.#sizeInBytes -= costOf(oldestName, oldest)
      if (this.#sizeInBytes <= this.#maxBytes) return
    }
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  clear(): void {
    this.#values.clear()
    this.#sizeInBytes = 0
  }
}

function costOf(name: string, { value }: CommittedValue): number {
  return entryOverheadInBytes + name.length + (value === null ? 0 : value.length)
}
