/** When the records that a task processes were appended to their topics, in ms since the epoch. */
export class RecordAges {
  #oldest: number | null = null
  #newest: number | null = null

  /** Of the record that has just been processed. */
  note(appendedAt: number): void {
    this.#oldest ??= appendedAt
    this.#newest = appendedAt
  }

  /** The last processed record's; null before the first. */
  get newest(): number | null {
    return this.#newest
  }

  /** Of the first record since the last call; null where there was none. */
  takeOldest(): number | null {
    const oldest = this.#oldest
    this.#oldest = null
    return oldest
  }
}
