import type { Differences } from './differences.ts'
import type { Difference, Place } from './report.ts'

const most = 10_000

/** Keys that stand in a partition of a topic that is not their own; there should be none. */
export class Misplaced {
  readonly #where: Difference['where']
  readonly #found = new Map<string, Place & { readonly key: string; readonly own: number }>()
  #untold = 0

  constructor(where: Difference['where']) {
    this.#where = where
  }

  put(key: string, own: number, place: Place): void {
    const name = `${place.partition} ${key}`
    if (this.#found.size < most || this.#found.has(name)) this.#found.set(name, { key, own, ...place })
    else this.#untold++
  }

  delete(key: string, partition: number): void {
    this.#found.delete(`${partition} ${key}`)
  }

  tell(differences: Differences): void {
    for (const { key, own, partition, offset } of this.#found.values())
      differences.add({
        ...{ where: this.#where, what: 'partition', key, partition: own, expected: own, found: partition },
        records: [{ partition, offset }],
      })
    differences.addUntold({ where: this.#where, what: 'partition' }, this.#untold)
  }
}
