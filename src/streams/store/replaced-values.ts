import type { CommittedValue } from './committed-cache.ts'

export const noValue: CommittedValue = { value: null, checksum: 0 }

/**
 * What the writes of one batch replace: at first what the store holds under their keys, then what earlier writes of the batch
 * have put there. By name, which is the key in Latin-1.
 *
 * In a restore that began empty nearly every key is new. Such writes are only noted, without a name, until a key comes for the second
 * time in a batch; then all get their names at once, so that the cost stays linear.
 */
export class ReplacedValues {
  readonly #byName: Map<string, CommittedValue>
  #unnamed: { readonly key: Buffer; readonly now: CommittedValue }[] | null

  /** `mostAreNew`: in a restore that began empty; the values stored under keys that are not new stand in `stored`. */
  constructor(stored: Map<string, CommittedValue>, mostAreNew: boolean) {
    this.#byName = stored
    this.#unnamed = mostAreNew ? [] : null
  }

  /** Whether the batch may write to this name. */
  has(name: string): boolean {
    return this.#unnamed !== null || this.#byName.has(name)
  }

  /** Puts `now` where certainly nothing stands. */
  add(key: Buffer, now: CommittedValue): void {
    if (this.#unnamed !== null) this.#unnamed.push({ key, now })
    else this.#byName.set(key.toString('latin1'), now)
  }

  /** Puts `now` in the place of what is returned. */
  exchange(name: string, now: CommittedValue): CommittedValue {
    if (this.#unnamed !== null && !this.#byName.has(name)) this.#nameAll(this.#unnamed)
    const old = this.#byName.get(name) ?? noValue
    // While names are left out, what is put there next has none: nothing older may then stand here.
    if (this.#unnamed !== null && now.value === null) this.#byName.delete(name)
    else this.#byName.set(name, now)
    return old
  }

  #nameAll(unnamed: readonly { readonly key: Buffer; readonly now: CommittedValue }[]): void {
    for (const { key, now } of unnamed) this.#byName.set(key.toString('latin1'), now)
    this.#unnamed = null
  }
}
