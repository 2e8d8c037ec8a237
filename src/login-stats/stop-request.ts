import { endNow, onTermination } from '../system/process.ts'

export type StopSignal = 'SIGINT' | 'SIGTERM'
export type StopReason = StopSignal | 'failure'

/** Of a program that a signal has ended, as shells say it. */
const exitCodes = { SIGINT: 130, SIGTERM: 143, failure: 1 } as const

/**
 * One request to end, for everything in this process. Those who have something to end in order listen to it. Where nobody listens a
 * signal ends the process at once, and so does a second one: waiting is no longer wanted then.
 */
export class StopRequest {
  readonly #endAtOnce: (exitCode: number) => void
  readonly #listeners = new Set<(reason: StopReason) => void>()
  readonly #requested = Promise.withResolvers<void>()
  #reason: StopReason | null = null

  /** `endAtOnce` is for signals; requests of other origin do not need it. */
  constructor(endAtOnce: (exitCode: number) => void = () => {}) {
    this.#endAtOnce = endAtOnce
  }

  /** By SIGINT and SIGTERM, from now on. */
  static bySignals(): StopRequest {
    const stop = new StopRequest(endNow)
    onTermination((signal) => stop.signalled(signal))
    return stop
  }

  get isRequested(): boolean {
    return this.#reason !== null
  }

  /** The first; null before it is requested. */
  get reason(): StopReason | null {
    return this.#reason
  }

  /** Resolves when it is requested; for those who listen. */
  get requested(): Promise<void> {
    return this.#requested.promise
  }

  /** Of a command that has been ended before it was done. */
  get exitCode(): number {
    return exitCodes[this.#reason ?? 'failure']
  }

  /** Tells all that listen; the first reason counts. */
  request(reason: StopReason): void {
    if (this.#reason !== null) return
    this.#reason = reason
    this.#requested.resolve()
    for (const listener of this.#listeners) listener(reason)
  }

  signalled(signal: StopSignal): void {
    if (this.isRequested || this.#listeners.size === 0) this.#endAtOnce(exitCodes[signal])
    else this.request(signal)
  }

  /**
   * Calls `listener` when it is requested, or now if that has been. Who asks `isRequested` now and then listens too, with nothing to be
   * called. Returns how to stop listening.
   */
  listen(listener: (reason: StopReason) => void = () => {}): () => void {
    // One may listen twice with the same function.
    const own = (reason: StopReason): void => listener(reason)
    this.#listeners.add(own)
    if (this.#reason !== null) own(this.#reason)
    return () => {
      this.#listeners.delete(own)
    }
  }
}
