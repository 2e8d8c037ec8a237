import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../ports/clock.ts'

/** The one place that reads the machine's clocks and sets its timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  // Unlike a timer, a sleep keeps the process alive: whoever awaits it has more to do.
  sleep: (delayMs) => delay(delayMs),
  yield: () => nextTurn(),
}
