import type { Cut, Published } from './cuts.ts'

/** How many logins of one key lie between two cuts. */
export class Sums {
  readonly #cuts: readonly Cut[]
  readonly #inputPartitions: number
  /** By cut and partition of the input: logins that this cut is the first to have counted. */
  readonly #counts: Float64Array
  readonly #firstSeen: Float64Array
  readonly #lastSeen: Float64Array

  constructor(cuts: readonly Cut[], inputPartitions: number) {
    this.#cuts = cuts
    this.#inputPartitions = inputPartitions
    this.#counts = new Float64Array(cuts.length * inputPartitions)
    this.#firstSeen = new Float64Array(cuts.length).fill(Number.POSITIVE_INFINITY)
    this.#lastSeen = new Float64Array(cuts.length).fill(Number.NEGATIVE_INFINITY)
  }

  add(partition: number, offset: number, eventTime: number): void {
    const at = this.#firstToCount(partition, offset)
    if (at === this.#cuts.length) return
    const place = at * this.#inputPartitions + partition
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
    this.#firstSeen[at] = Math.min(this.#firstSeen[at] ?? 0, eventTime)
    this.#lastSeen[at] = Math.max(this.#lastSeen[at] ?? 0, eventTime)
  }

  /** What a cut has counted that the one before has not. */
  at(cut: number): Published {
    const count = this.between(cut - 1, cut).reduce((sum, one) => sum + one, 0)
    return { count, firstSeen: this.#firstSeen[cut] ?? 0, lastSeen: this.#lastSeen[cut] ?? 0 }
  }

  /** By partition of the input: the logins that cuts after one, up to another, have counted. */
  between(after: number, upTo: number): number[] {
    const counts = Array.from({ length: this.#inputPartitions }, () => 0)
    for (let cut = after + 1; cut <= upTo; cut++)
      for (let partition = 0; partition < this.#inputPartitions; partition++)
        counts[partition] =
          (counts[partition] ?? 0) + (this.#counts[cut * this.#inputPartitions + partition] ?? 0)
    return counts
  }

  /** Cuts only ever go on, so the first that has counted an offset is found by halves. */
  #firstToCount(partition: number, offset: number): number {
    let low = 0
    let high = this.#cuts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#cuts[middle]?.counted.get(partition) ?? 0) > offset) high = middle
      else low = middle + 1
    }
    return low
  }
}
