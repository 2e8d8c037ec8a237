/**
 * Time, as the engine sees it. The engine never reads a clock of its own, so that the same code runs on
 * simulated time.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. May jump. */
  now(): number
  /** Milliseconds from an arbitrary start; never goes back. For durations and deadlines. */
  monotonic(): number
  /** Calls `callback` once after `delayMs`; the returned function cancels it. Never keeps a process alive by itself. */
  setTimer(delayMs: number, callback: () => void): () => void
  /** Resolves after `delayMs`. */
  sleep(delayMs: number): Promise<void>
  /** Lets sockets and timers have a turn: resolves in the next turn of the event loop. */
  yield(): Promise<void>
}
