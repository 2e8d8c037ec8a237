import type { Clock } from '../../ports/clock.ts'

/** When a commit is due, for a task or for all that commit together. Times in ms on the monotonic clock. */
export class CommitPacing {
  readonly #clock: Clock
  #lastCommitAt: number
  #underWay = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastCommitAt = clock.monotonic()
  }

  get isCommitting(): boolean {
    return this.#underWay > 0
  }

  /** Since the end of the last commit. */
  get sinceLastMs(): number {
    return this.#clock.monotonic() - this.#lastCommitAt
  }

  begin(): void {
    this.#underWay += 1
  }

  end(): void {
    this.#underWay -= 1
    this.#lastCommitAt = this.#clock.monotonic()
  }
}
