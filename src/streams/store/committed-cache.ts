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
 *
 * Two generations instead of a strict order of use: what is used moves to the young one; when that holds half the bound, the
 * old one is dropped and the young one becomes old. No operation ever walks over entries.
 */
export class CommittedCache {
  readonly #generationBytes: number
  #young = new Map<string, CommittedValue>()
  #old = new Map<string, CommittedValue>()
  #youngBytes = 0

  constructor(maxBytes: number) {
    this.#generationBytes = maxBytes / 2
  }

  get(name: string): CommittedValue | undefined {
    const young = this.#young.get(name)
    if (young !== undefined) return young
    const old = this.#old.get(name)
    if (old !== undefined) this.set(name, old)
    return old
  }

  set(name: string, value: CommittedValue): void {
    const replaced = this.#young.get(name)
    this.#youngBytes += costOf(name, value) - (replaced === undefined ? 0 : costOf(name, replaced))
    this.#young.set(name, value)
    if (this.#youngBytes <= this.#generationBytes) return
    this.#old = this.#young
    this.#young = new Map()
    this.#youngBytes = 0
  }

  has(name: string): boolean {
    return this.#young.has(name) || this.#old.has(name)
  }

  clear(): void {
    this.#young = new Map()
    this.#old = new Map()
    this.#youngBytes = 0
  }
}

function costOf(name: string, { value }: CommittedValue): number {
  return entryOverheadInBytes + name.length + (value === null ? 0 : value.length)
}
