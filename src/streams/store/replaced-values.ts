import { type CommittedValue, noValue } from './committed-cache.ts'
import type { StoreKey } from './store-key.ts'
import type { ChangelogWrite } from './types.ts'

/** What the writes of one batch replace, which they tell one after the other. */
export interface ReplacedValues {
  /** Whether the batch may write to this name. */
  has(name: string): boolean
  /** Puts `now` in the place of what is returned. `isNew`: certainly nothing stands there. */
  exchange(key: StoreKey, now: CommittedValue, isNew: boolean): CommittedValue
}

/** Of a commit: no key comes twice, so it is what the store holds, in the order of the writes. */
export class ReplacedOnce implements ReplacedValues {
  readonly #writes: readonly ChangelogWrite[]
  readonly #stored: readonly CommittedValue[]
  #next = 0
  /** Made when somebody asks, which only a read during the batch does. */
  #names: Set<string> | null = null

  constructor(writes: readonly ChangelogWrite[], stored: readonly CommittedValue[]) {
    this.#writes = writes
    this.#stored = stored
  }

  has(name: string): boolean {
    this.#names ??= new Set(this.#writes.map(({ key }) => key.name))
    return this.#names.has(name)
  }

  exchange(): CommittedValue {
    this.#next += 1
    return this.#stored[this.#next - 1] ?? noValue
  }
}

/**
 * Of a chunk of a changelog, in which a key may come again: at first what the store holds under the keys, then what earlier writes of
 * the batch have put there.
 *
 * In a restore that began empty nearly every key is new. Such writes are only noted, without a name, until a key comes for the second
 * time in a batch; then all get their names at once, so that the cost stays linear.
 */
export class ReplacedInTurn implements ReplacedValues {
  readonly #byName: Map<string, CommittedValue>
  #unnamed: { readonly key: StoreKey; readonly now: CommittedValue }[] | null

  /** `mostAreNew`: in a restore that began empty; the values stored under keys that are not new stand in `stored`. */
  constructor(stored: Map<string, CommittedValue>, mostAreNew: boolean) {
    this.#byName = stored
    this.#unnamed = mostAreNew ? [] : null
  }

  has(name: string): boolean {
    return this.#unnamed !== null || this.#byName.has(name)
  }

  exchange(key: StoreKey, now: CommittedValue, isNew: boolean): CommittedValue {
    if (isNew && this.#unnamed !== null) {
      this.#unnamed.push({ key, now })
      return noValue
    }
    const { name } = key
    if (this.#unnamed !== null && !this.#byName.has(name)) this.#nameAll(this.#unnamed)
    const old = isNew ? noValue : (this.#byName.get(name) ?? noValue)
    // While names are left out, what is put there next has none: nothing older may then stand here.
    if (this.#unnamed !== null && now.value === null) this.#byName.delete(name)
    else this.#byName.set(name, now)
    return old
  }

  #nameAll(unnamed: readonly { readonly key: StoreKey; readonly now: CommittedValue }[]): void {
    for (const { key, now } of unnamed) this.#byName.set(key.name, now)
    this.#unnamed = null
  }
}
