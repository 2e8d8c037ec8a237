import { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import type { Random } from '../../src/ports/random.ts'

const idCharacters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The randomness of a simulation: one sequence for all that is drawn. */
export class SeededRandom implements Random {
  readonly #sequence: Xoshiro128

  constructor(seed: number) {
    this.#sequence = new Xoshiro128(seed)
  }

  next(): number {
    return this.#sequence.next()
  }

  id(): string {
    // Of 64 characters each, as long as a topic id: 22.
    return Array.from({ length: 22 }, () => idCharacters[this.below(64)]).join('')
  }

  below(limit: number): number {
    return this.#sequence.below(limit)
  }

  /** A number from `low` to `high`. */
  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  /** From `low` to `high`, small values as likely as large ones of the next order of magnitude. */
  logarithmic(low: number, high: number): number {
    return low * (high / low) ** this.next()
  }

  chance(share: number): boolean {
    return share > 0 && this.next() < share
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  shuffled<T>(items: readonly T[]): T[] {
    const copy = [...items]
    for (let at = copy.length - 1; at > 0; at--) {
      const other = this.below(at + 1)
      const taken = copy[at] as T
      copy[at] = copy[other] as T
      copy[other] = taken
    }
    return copy
  }

  /** A sequence of its own, which does not move this one further than one draw. */
  fork(): SeededRandom {
    return new SeededRandom(this.#sequence.uint32())
  }
}
