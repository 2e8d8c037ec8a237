import type { Clock } from './clock.ts'

/** Lets one loop sleep until something happens or a time has passed; a call while it is awake is not lost. */
export class WakeUp {
  readonly #clock: Clock
  #isCalled = false
  #resolve: (() => void) | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  readonly call = (): void => {
    this.#isCalled = true
    this.#resolve?.()
  }

  /** Resolves at the next `call`, at once if one came since the last `wait`, and after `timeoutMs` at the latest. */
  async wait(timeoutMs: number): Promise<void> {
    if (!this.#isCalled) {
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.setTimer(timeoutMs, resolve)
        this.#resolve = () => {
          cancel()
          resolve()
        }
      })
      this.#resolve = null
    }
    this.#isCalled = false
  }
}
