/**
 * The checksum of the envelope of every entry that a store must hold, by a 64-bit fingerprint of its database key, in a typed array:
 * 23 to 46 bytes a key. It spares a restore a read per record, for a key that is not in it is not in the store; and it tells what
 * no checksum on disk can: that an entry is gone, or that an older one has come back in its place.
 *
 * Two keys with one fingerprint (3 in 100 million for a million keys) make a store that is right look damaged, and be rebuilt; where one
 * of the two is deleted, the other is lost from sight until then. Each
 * instance hashes in its own way, so that the next one tells the same keys apart.
 */
export class EntryChecksums {
  readonly #maxKeys: number
  readonly #seed: number
  #capacity: number
  #slots: Uint32Array
  #keyCount = 0

  constructor(maxKeys = defaultChecksumLimits.whileFilling, capacity = 1 << 14) {
    this.#maxKeys = maxKeys
    this.#seed = instances++
    this.#capacity = capacity
    this.#slots = new Uint32Array(capacity * wordsPerSlot)
  }

  get keyCount(): number {
    return this.#keyCount
  }

  /** Before keys are left out for lack of room, the whole must be given up: absence here is absence in the store. */
  hasRoomFor(newKeys: number): boolean {
    return this.#keyCount + newKeys <= this.#maxKeys
  }

  /** The checksum last set, or `absent`. */
  get(key: Buffer): number {
    fingerprint(key, this.#seed)
    return this.#at(findSlot(this.#slots, this.#capacity, high, low))
  }

  /** Sets the checksum, or `absent`, and returns what `get` would have returned before. */
  exchange(key: Buffer, checksum: number): number {
    fingerprint(key, this.#seed)
    let slot = findSlot(this.#slots, this.#capacity, high, low)
    const before = this.#at(slot)
    if (this.#slots[slot] === free) {
      if (checksum === absent) return before
      if (this.#keyCount >= this.#capacity * maxLoad) {
        this.#grow()
        slot = findSlot(this.#slots, this.#capacity, high, low)
      }
      this.#keyCount += 1
      this.#slots[slot + 1] = high
      this.#slots[slot + 2] = low
    }
    this.#slots[slot] = checksum === absent ? deleted : used
    this.#slots[slot + 3] = checksum === absent ? 0 : checksum
    return before
  }

  #at(slot: number): number {
    return this.#slots[slot] === used ? (this.#slots[slot + 3] ?? absent) : absent
  }

  #grow(): void {
    const old = this.#slots
    const capacity = this.#capacity * 2
    const slots = new Uint32Array(capacity * wordsPerSlot)
    for (let from = 0; from < old.length; from += wordsPerSlot) {
      if (old[from] === free) continue
      const to = findSlot(slots, capacity, old[from + 1] ?? 0, old[from + 2] ?? 0)
      slots[to] = old[from] ?? 0
      slots[to + 1] = old[from + 1] ?? 0
      slots[to + 2] = old[from + 2] ?? 0
      slots[to + 3] = old[from + 3] ?? 0
    }
    this.#capacity = capacity
    this.#slots = slots
  }
}

/** Of how many entries checksums are kept. */
export interface ChecksumLimits {
  /** While a store is filled from nothing. */
  readonly whileFilling: number
  readonly afterwards: number
}

/** Afterwards, as many as just fit into 8 MiB. */
export const defaultChecksumLimits: ChecksumLimits = { whileFilling: 2_500_000, afterwards: 360_000 }

/** In place of a checksum, which is never negative. */
export const absent = -1

const free = 0
const used = 1
const deleted = 2
/** State, high and low word of the fingerprint, checksum. */
const wordsPerSlot = 4
const maxLoad = 0.7

let instances = 0
let high = 0
let low = 0

/** Two 32-bit hashes with different multipliers, mixed into each other at the end, into `high` and `low`. */
function fingerprint(key: Buffer, seed: number): void {
  let a = 0xdeadbeef ^ Math.imul(seed, 2654435769)
  let b = 0x41c6ce57 + Math.imul(seed, 1640531535)
  for (let at = 0; at < key.length; at += 1) {
    const byte = key[at] ?? 0
    a = Math.imul(a ^ byte, 2654435761)
    b = Math.imul(b ^ byte, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  high = a >>> 0
  low = b >>> 0
}

/** Where the fingerprint stands, or the free slot where it belongs. */
function findSlot(slots: Uint32Array, capacity: number, wantedHigh: number, wantedLow: number): number {
  const mask = capacity - 1
  for (let at = wantedLow & mask; ; at = (at + 1) & mask) {
    const slot = at * wordsPerSlot
    if (slots[slot] === free) return slot
    if (slots[slot + 1] === wantedHigh && slots[slot + 2] === wantedLow) return slot
  }
}
