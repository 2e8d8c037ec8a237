/**
 * xoshiro128** 1.1 by David Blackman and Sebastiano Vigna (2018, public domain): 128 bits of state, period 2^128 - 1. Seeded by
 * splitmix32 from one number, so that near seeds give unlike sequences. Deterministic everywhere; not for secrets.
 */
export class Xoshiro128 {
  #a: number
  #b: number
  #c: number
  #d: number

  /** `seed`: a whole number; its low 32 bits count. */
  constructor(seed: number) {
    let state = seed | 0
    const splitmix32 = (): number => {
      state = (state + 0x9e3779b9) | 0
      const half = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
      const mixed = Math.imul(half ^ (half >>> 13), 0xc2b2ae35)
      return mixed ^ (mixed >>> 16)
    }
    this.#a = splitmix32()
    this.#b = splitmix32()
    this.#c = splitmix32()
    this.#d = splitmix32()
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const product = Math.imul(this.#b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9)
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result >>> 0
  }

  /** A number in [0, 1). */
  next(): number {
    return this.uint32() / 0x1_0000_0000
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** True in the given share of the calls. */
  chance(share: number): boolean {
    return this.next() < share
  }

  /** One of the items, each as likely. */
  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0]
  }
}
