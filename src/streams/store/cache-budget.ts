/** However many there are, each cache may have so much. */
const leastBytes = 1 << 20
const defaultTotalBytes = 64 << 20

/**
 * What the caches of all open stores of a stream thread should take together. A cache that has grown beyond its share, because more
 * stores have been opened since, keeps what it has: so at worst they take some five times as much, for 64 stores opened and filled
 * one after the other.
 */
export class CacheBudget {
  readonly #totalBytes: number
  #caches = 0

  constructor(totalBytes = defaultTotalBytes) {
    this.#totalBytes = totalBytes
  }

  join(): void {
    this.#caches += 1
  }

  leave(): void {
    this.#caches -= 1
  }

  /** Of one cache, as of now. */
  get shareBytes(): number {
    const least = Math.min(leastBytes, this.#totalBytes)
    return Math.max(least, Math.floor(this.#totalBytes / Math.max(1, this.#caches)))
  }
}
