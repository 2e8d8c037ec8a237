import type { Aggregate } from './aggregate.ts'
import type { Fold } from './combiner.ts'

/** A fold for any aggregate: deltas by key in a Map. */
export class DeltaTable<Delta, State> implements Fold<Delta> {
  readonly #aggregate: Aggregate<Delta, State>
  readonly #deltas = new Map<string, Delta>()

  constructor(aggregate: Aggregate<Delta, State>) {
    this.#aggregate = aggregate
  }

  get keyCount(): number {
    return this.#deltas.size
  }

  /** The delta of `key` (UTF-8) since the last drain, to be changed in place. */
  delta(key: string): Delta {
    let delta = this.#deltas.get(key)
    if (delta === undefined) {
      delta = this.#aggregate.createDelta()
      this.#deltas.set(key, delta)
    }
    return delta
  }

  drain(each: (key: Buffer, delta: Delta) => void): void {
    for (const [key, delta] of this.#deltas) each(Buffer.from(key), delta)
    this.#deltas.clear()
  }
}
