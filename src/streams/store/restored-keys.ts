/**
 * The checksums of the envelopes that a restore into an empty store has written, by a 64-bit fingerprint of the key, in
 * typed arrays: some 20 bytes a key. It spares the restore a read per record. While it is complete, a key that is not in
 * it is not in the store.
 *
 * Two keys with one fingerprint (3 in 100 million for a million keys) would put the store's set hash wrong. Then a later
 * scan finds the store damaged and rebuilds it; the values themselves do not depend on it.
 */
export class RestoredKeys {
  readonly #maxKeys: number
  #capacity: number
  #slots: Uint32Array
  #keyCount = 0
  #complete = true

  constructor(maxKeys = 2_500_000, capacity = 1 << 12) {
    this.#maxKeys = maxKeys
    this.#capacity = capacity
    this.#slots = new Uint32Array(capacity * wordsPerSlot)
  }

  /** False once a key did not find room: then absence proves nothing. */
  get isComplete(): boolean {
    return this.#complete
  }

  /** The checksum last set; `absent` where the key was never set or has been deleted; undefined if not known. */
  get(key: Buffer): number | undefined {
    fingerprint(key)
    const slot = this.#find(this.#slots, this.#capacity, high, low)
    const state = this.#slots[slot]
    if (state === used) return this.#slots[slot + 3]
    if (state === deleted || this.#complete) return absent
    return undefined
  }

  set(key: Buffer, checksum: number): void {
    fingerprint(key)
    let slot = this.#find(this.#slots, this.#capacity, high, low)
    if (this.#slots[slot] === free) {
      if (checksum === absent) return
      if (this.#keyCount >= this.#maxKeys) {
        this.#complete = false
        return
      }
      if (this.#keyCount >= this.#capacity * maxLoad) {
        this.#grow()
        slot = this.#find(this.#slots, this.#capacity, high, low)
      }
      this.#keyCount += 1
      this.#slots[slot + 1] = high
      this.#slots[slot + 2] = low
    }
    this.#slots[slot] = checksum === absent ? deleted : used
    this.#slots[slot + 3] = checksum === absent ? 0 : checksum
  }

  #find(slots: Uint32Array, capacity: number, wantedHigh: number, wantedLow: number): number {
    const mask = capacity - 1
    for (let at = wantedLow & mask; ; at = (at + 1) & mask) {
      const slot = at * wordsPerSlot
      if (slots[slot] === free) return slot
      if (slots[slot + 1] === wantedHigh && slots[slot + 2] === wantedLow) return slot
    }
  }

  #grow(): void {
    const capacity = this.#capacity * 2
    const slots = new Uint32Array(capacity * wordsPerSlot)
    for (let from = 0; from < this.#slots.length; from += wordsPerSlot) {
      if (this.#slots[from] === free) continue
      const to = this.#find(slots, capacity, this.#slots[from + 1] ?? 0, this.#slots[from + 2] ?? 0)
      slots.set(this.#slots.subarray(from, from + wordsPerSlot), to)
    }
    this.#capacity = capacity
    this.#slots = slots
  }
}

/** In place of a checksum, which is never negative. */
export const absent = -1

const free = 0
const used = 1
const deleted = 2
/** State, high and low word of the fingerprint, checksum. */
const wordsPerSlot = 4
const maxLoad = 0.7

let high = 0
let low = 0

/** Two 32-bit hashes with different multipliers, mixed into each other at the end, into `high` and `low`. */
function fingerprint(key: Buffer): void {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
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
