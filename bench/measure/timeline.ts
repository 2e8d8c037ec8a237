/**
 * When which offsets of a topic became visible to a `read_committed` reader: its last stable offsets, asked for again and again. So
 * the records themselves may be read later, when that costs nobody anything, and still have the time at which they could be
 * seen. The times are those of the answers, and so late by at most the time between two of them.
 */
export class Timeline {
  /** By partition: rising end offsets, each with the time at which it was first seen. */
  readonly #steps: { readonly time: number; readonly end: number }[][]
  /** When any end last moved, or the watch began. */
  movedAt: number

  constructor(partitions: number, startTime: number) {
    this.#steps = Array.from({ length: partitions }, () => [])
    this.movedAt = startTime
  }

  /** `ends` by partition, exclusive; `time` in ms of any clock that does not go back. */
  record(time: number, ends: readonly number[]): void {
    for (const [partition, end] of ends.entries()) {
      const steps = this.#steps[partition]
      if (steps === undefined || end <= (steps.at(-1)?.end ?? 0)) continue
      steps.push({ time, end })
      this.movedAt = time
    }
  }

  /** The ends seen last, by partition. */
  get ends(): number[] {
    return this.#steps.map((steps) => steps.at(-1)?.end ?? 0)
  }

  /** When anything at all could be seen; null before. */
  firstAt(): number | null {
    const times = this.#steps.flatMap((steps) => (steps[0] === undefined ? [] : [steps[0].time]))
    return times.length === 0 ? null : Math.min(...times)
  }

  /** Null as long as the record cannot be seen. */
  visibleAt(partition: number, offset: number): number | null {
    const steps = this.#steps[partition] ?? []
    let low = 0
    let high = steps.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((steps[middle]?.end ?? 0) > offset) high = middle
      else low = middle + 1
    }
    return steps[low]?.time ?? null
  }
}
