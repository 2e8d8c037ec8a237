import { fnv1a, spread } from '../../bytes/fnv1a.ts'
import type { CacheBudget } from './cache-budget.ts'

/** A value as the database holds it, or will hold it when the batch under way has been written. */
export interface CommittedValue {
  /** Null: the database has no such key. */
  readonly value: Buffer | null
  /** Of the envelope; 0 without a value. */
  readonly checksum: number
}

export const noValue: CommittedValue = { value: null, checksum: 0 }

/** Before an entry's key and value: hash of the key, lengths of both (16 bits each), checksum. */
const headerBytes = 12
const lengthLimit = 0xffff
/** In place of a value's length. */
const isAbsent = lengthLimit

const firstBytes = 1 << 16
const firstSlots = 1 << 10
const maxLoad = 0.6
/** A larger entry, as a share of all, would push out too many others. */
const largestShare = 1 / 16

/**
 * Committed values, within a share of a budget of bytes. Reads of the database take longest of all that a key costs, and every
 * write needs the checksum of the value that it replaces.
 *
 * Entries stand one behind the other in one buffer, which grows up to its share; then it goes round, and what came in first is
 * overwritten first, however often it is used: a hot key is then read once more. An open-addressing table leads from the hash of a
 * key to its entry. So a key costs its bytes and some twenty-five more, and V8's garbage collector, for which a million cached
 * objects are a burden at each of its turns, sees two buffers.
 */
export class CommittedCache {
  readonly #budget: CacheBudget
  #bytes = Buffer.alloc(0)
  #words = new Int32Array(0)
  /** Where the next entry goes, and where the oldest one stands. */
  #head = 0
  #tail = 0
  /** Where the entries before the beginning end, while the newest ones stand before the oldest; else null. */
  #turn: number | null = null
  /** Where an entry stands, plus one; 0 is free. */
  #slots = new Int32Array(firstSlots)
  #count = 0

  constructor(budget: CacheBudget) {
    this.#budget = budget
  }

  /** The value is a copy. */
  get(key: Buffer): CommittedValue | undefined {
    const slot = this.#find(key, spread(fnv1a(key)))
    if (slot < 0) return undefined
    const at = this.#positionIn(slot)
    const length = this.#valueLength(at)
    if (length === isAbsent) return noValue
    const value = Buffer.allocUnsafe(length)
    const start = at + headerBytes + key.length
    this.#bytes.copy(value, 0, start, start + length)
    return { value, checksum: this.#word(at + 8) >>> 0 }
  }

  set(key: Buffer, { value, checksum }: CommittedValue): void {
    const hash = spread(fnv1a(key))
    const fits = key.length < lengthLimit && (value === null || value.length < lengthLimit)
    const length = value === null ? isAbsent : value.length
    const known = this.#find(key, hash)
    if (known >= 0) {
      const at = this.#positionIn(known)
      if (fits && this.#valueLength(at) === length) {
        this.#write(at, hash, key, length, value, checksum)
        return
      }
      this.#free(known)
    }
    const size = sizeOf(key.length, length)
    if (!fits) return
    if (size > Math.max(this.#bytes.length, this.#limit) * largestShare) return
    this.#makeRoom(size)
    this.#write(this.#head, hash, key, length, value, checksum)
    this.#insert(hash, this.#head)
    this.#head += size
  }

  clear(): void {
    this.#bytes = Buffer.alloc(0)
    this.#words = new Int32Array(0)
    this.#head = 0
    this.#tail = 0
    this.#turn = null
    this.#slots = new Int32Array(firstSlots)
    this.#count = 0
  }

  /** In whole words. */
  get #limit(): number {
    return this.#budget.shareBytes & ~3
  }

  #write(
    at: number,
    hash: number,
    key: Buffer,
    length: number,
    value: Buffer | null,
    checksum: number,
  ): void {
    const words = this.#words
    words[at >> 2] = hash
    words[(at >> 2) + 1] = (key.length << 16) | length
    words[(at >> 2) + 2] = checksum
    copy(key, this.#bytes, at + headerBytes)
    if (value !== null) copy(value, this.#bytes, at + headerBytes + key.length)
  }

  /** Lets `size` bytes be free from `#head` on. */
  #makeRoom(size: number): void {
    for (;;) {
      if (this.#turn !== null) {
        if (this.#head + size <= this.#tail) return
        this.#dropOldest(this.#turn)
      } else if (this.#head + size <= this.#bytes.length) {
        return
      } else if (this.#bytes.length < this.#limit) {
        this.#grow()
      } else {
        this.#turn = this.#head
        this.#head = 0
      }
    }
  }

  #grow(): void {
    const bytes = Math.min(this.#limit, Math.max(firstBytes, this.#bytes.length * 2))
    const grown = new ArrayBuffer(bytes)
    const words = new Int32Array(grown)
    words.set(this.#words)
    this.#words = words
    this.#bytes = Buffer.from(grown)
  }

  #dropOldest(turn: number): void {
    const at = this.#tail
    const lengths = this.#word(at + 4)
    const slot = this.#slotOf(this.#word(at), at)
    if (slot >= 0) this.#free(slot)
    this.#tail += sizeOf(lengths >>> 16, lengths & lengthLimit)
    if (this.#tail < turn) return
    this.#tail = 0
    this.#turn = null
  }

  #word(at: number): number {
    return this.#words[at >> 2] as number
  }

  #valueLength(at: number): number {
    return this.#word(at + 4) & lengthLimit
  }

  #positionIn(slot: number): number {
    return (this.#slots[slot] as number) - 1
  }

  /** The slot of a key, or -1. */
  #find(key: Buffer, hash: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let slot = hash & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const at = (slots[slot] as number) - 1
      if (this.#word(at) === hash && this.#word(at + 4) >>> 16 === key.length && this.#isAt(at, key))
        return slot
    }
    return -1
  }

  #isAt(at: number, key: Buffer): boolean {
    const bytes = this.#bytes
    let from = at + headerBytes
    for (let index = 0; index < key.length; index += 1) if (bytes[from++] !== key[index]) return false
    return true
  }

  /** The slot that leads to the entry which stands there, or -1 where its key has a newer one. */
  #slotOf(hash: number, at: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let slot = hash & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      if (slots[slot] === at + 1) return slot
    }
    return -1
  }

  #insert(hash: number, at: number): void {
    if (this.#count >= this.#slots.length * maxLoad) this.#growSlots()
    this.#place(hash, at)
    this.#count += 1
  }

  #place(hash: number, at: number): void {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = at + 1
  }

  #growSlots(): void {
    const old = this.#slots
    this.#slots = new Int32Array(old.length * 2)
    for (const position of old) if (position !== 0) this.#place(this.#word(position - 1), position - 1)
  }

  /** Frees a slot, and moves those behind it that would not be found any more (Knuth, volume 3, 6.4, algorithm R). */
  #free(slot: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let hole = slot
    for (let next = (hole + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const home = this.#word(this.#positionIn(next)) & mask
      const isReachable = hole <= next ? hole < home && home <= next : hole < home || home <= next
      if (isReachable) continue
      slots[hole] = slots[next] as number
      hole = next
    }
    slots[hole] = 0
    this.#count -= 1
  }
}

/** Rounded up, so that the next entry's header stands on whole words. */
function sizeOf(keyLength: number, valueLength: number): number {
  return (headerBytes + keyLength + (valueLength === isAbsent ? 0 : valueLength) + 3) & ~3
}

function copy(source: Buffer, target: Buffer, at: number): void {
  if (source.length > 48) {
    target.set(source, at)
    return
  }
  for (let from = 0, to = at; from < source.length; from += 1, to += 1) target[to] = source[from] as number
}
