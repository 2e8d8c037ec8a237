/**
 * Runs actions one after the other, in the order in which they were asked for. A failure is the business of whoever asked for that
 * action; those after it run all the same.
 */
export class SerialQueue {
  #last: Promise<void> = Promise.resolve()

  run(action: () => Promise<void>): Promise<void> {
    const result = this.#last.then(action)
    this.#last = result.catch(() => undefined)
    return result
  }

  /** Resolves when all that was asked for so far has ended, well or not. */
  get idle(): Promise<void> {
    return this.#last
  }
}
