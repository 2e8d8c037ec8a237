import type { Clock } from '../../src/ports/clock.ts'
import type { EventQueue, ScheduledEvent } from './event-queue.ts'

/** Wall-clock time at the start of a simulation. */
export const epochMs = 1_700_000_000_000

/**
 * One process: everything that happens to it goes through here. When it is killed, nothing happens to it any more: its timers and
 * what it awaits never come. While it is stopped, what happens is held back, and comes when it goes on.
 */
export class SimulatedProcess {
  readonly name: string
  readonly clock: Clock
  #state: 'running' | 'stopped' | 'dead' = 'running'
  readonly #queue: EventQueue
  #held: (() => void)[] = []
  readonly #onDeath: (() => void)[] = []

  /** `wallClockSkewMs`: how far the wall clock of its machine is ahead. */
  constructor(name: string, queue: EventQueue, wallClockSkewMs: () => number = () => 0) {
    this.name = name
    this.#queue = queue
    this.clock = {
      now: () => Math.floor(epochMs + queue.now + wallClockSkewMs()),
      monotonic: () => queue.now,
      setTimer: (delayMs, callback) => this.after(delayMs, callback),
      sleep: (delayMs) => new Promise((resolve) => void this.after(delayMs, resolve)),
      yield: () => new Promise((resolve) => void this.after(0, resolve)),
    }
  }

  get isDead(): boolean {
    return this.#state === 'dead'
  }

  get isStopped(): boolean {
    return this.#state === 'stopped'
  }

  /** Runs `callback` in this process after `delayMs`; returns how to cancel it. */
  after(delayMs: number, callback: () => void): () => void {
    const event: ScheduledEvent = this.#queue.after(delayMs, () => {
      this.deliver(() => {
        if (!event.isCancelled) callback()
      })
    })
    return () => {
      event.isCancelled = true
    }
  }

  /** Something reaches the process now. */
  deliver(callback: () => void): void {
    if (this.#state === 'running') callback()
    else if (this.#state === 'stopped') this.#held.push(callback)
  }

  /** SIGSTOP. */
  stop(): void {
    if (this.#state === 'running') this.#state = 'stopped'
  }

  /** SIGCONT: what was held back comes, one event after the other. */
  continue(): void {
    if (this.#state !== 'stopped') return
    this.#state = 'running'
    const held = this.#held
    this.#held = []
    for (const callback of held) this.#queue.after(0, () => this.deliver(callback))
  }

  /** SIGKILL. */
  kill(): void {
    if (this.#state === 'dead') return
    this.#state = 'dead'
    this.#held = []
    for (const callback of this.#onDeath) callback()
  }

  onDeath(callback: () => void): void {
    this.#onDeath.push(callback)
  }
}
