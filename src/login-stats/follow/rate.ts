/** How fast a count grows, by samples of the last seconds. */
export class Rate {
  readonly #spanMs: number
  #samples: { readonly at: number; readonly count: number }[] = []

  constructor(spanMs: number) {
    this.#spanMs = spanMs
  }

  /** `at`: monotonic, ms; of a moment that was noted before nothing new is told. A count that falls begins anew. */
  note(at: number, count: number): void {
    const last = this.#samples.at(-1)
    if (last !== undefined && at <= last.at) return
    if (last !== undefined && count < last.count) this.#samples = []
    this.#samples.push({ at, count })
    // One sample from before the span stays, so that the span is covered whole.
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) <= at - this.#spanMs)
      this.#samples.shift()
  }

  reset(): void {
    this.#samples = []
  }

  /** Per second; null before there are two samples. */
  get perSecond(): number | null {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.at <= first.at) return null
    return ((last.count - first.count) * 1000) / (last.at - first.at)
  }
}
