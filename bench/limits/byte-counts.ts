/** Counts of values given as bytes, in an open hash table; a text is made of a value only when it is met first. */
export class ByteCounts {
  #hashes = new Int32Array(64)
  #slots: ({ readonly bytes: Buffer; count: number } | undefined)[] = new Array(64).fill(undefined)
  #size = 0

  add(bytes: Buffer, start: number, end: number): void {
    let hash = 0x811c9dc5 | 0
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193)
    hash ^= hash >>> 15
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]
      if (entry === undefined) {
        this.#insert(slot, hash, Buffer.from(bytes.subarray(start, end)))
        return
      }
      if (this.#hashes[slot] === hash && isSame(entry.bytes, bytes, start, end)) {
        entry.count++
        return
      }
    }
  }

  *entries(): Generator<[value: string, count: number]> {
    for (const entry of this.#slots) if (entry !== undefined) yield [entry.bytes.toString(), entry.count]
  }

  #insert(slot: number, hash: number, bytes: Buffer): void {
    this.#slots[slot] = { bytes, count: 1 }
    this.#hashes[slot] = hash
    if (++this.#size * 2 > this.#slots.length) this.#grow()
  }

  #grow(): void {
    const [slots, hashes] = [this.#slots, this.#hashes]
    const mask = slots.length * 2 - 1
    this.#slots = new Array(mask + 1).fill(undefined)
    this.#hashes = new Int32Array(mask + 1)
    for (const [index, entry] of slots.entries()) {
      if (entry === undefined) continue
      const hash = hashes[index] ?? 0
      let slot = hash & mask
      while (this.#slots[slot] !== undefined) slot = (slot + 1) & mask
      this.#slots[slot] = entry
      this.#hashes[slot] = hash
    }
  }
}

function isSame(own: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (own.length !== end - start) return false
  for (let index = 0; index < own.length; index++) if (own[index] !== bytes[start + index]) return false
  return true
}
