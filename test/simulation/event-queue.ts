/**
 * Simulated time: a queue of events, run one by one in the order of their time and, at the same time, of their making.
 *
 * Between two events all promise reactions run to their end, so what the code under test does is a function of the order of
 * events alone. A callback of `process.nextTick` that is asked for by a promise reaction runs when no reaction is left.
 */
export interface ScheduledEvent {
  readonly at: number
  readonly order: number
  readonly run: () => void
  /** It reaches no code under test, nor anything else that awaits: no promise reaction follows. */
  readonly isQuiet: boolean
  isCancelled: boolean
}

export class EventQueue {
  /** Milliseconds since the start of the simulation. */
  now = 0
  /** Events run so far. */
  executed = 0
  #heap: ScheduledEvent[] = []
  #order = 0

  /** Runs `run` after `delayMs`; the event can be cancelled. */
  after(delayMs: number, run: () => void): ScheduledEvent {
    return this.#schedule(delayMs, run, false)
  }

  /** As `after`, for what stays within the simulated cluster: no promise is waited for between this event and the next. */
  afterQuietly(delayMs: number, run: () => void): ScheduledEvent {
    return this.#schedule(delayMs, run, true)
  }

  /** Runs events until `isDone`, asked after each, or until time `until`; then the clock stands there. */
  runUntil(until: number, isDone: () => boolean = () => false): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const step = (): void => {
      try {
        if (this.#runOn(until, isDone)) resolve()
        else afterReactions(step)
      } catch (error) {
        reject(error)
      }
    }
    afterReactions(step)
    return promise
  }

  /** Runs events up to one that promise reactions may follow. Returns whether all is done. */
  #runOn(until: number, isDone: () => boolean): boolean {
    while (!isDone()) {
      const event = this.#heap[0]
      if (event === undefined || event.at > until) {
        this.now = Math.max(this.now, until)
        return true
      }
      this.#pop()
      if (event.isCancelled) continue
      this.now = event.at
      this.executed++
      event.run()
      if (!event.isQuiet) return false
    }
    return true
  }

  #schedule(delayMs: number, run: () => void, isQuiet: boolean): ScheduledEvent {
    const at = this.now + Math.max(0, delayMs)
    const event = { at, order: this.#order++, run, isQuiet, isCancelled: false }
    this.#push(event)
    return event
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as ScheduledEvent
      if (!isBefore(event, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as ScheduledEvent
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      const right = heap[child + 1]
      if (right !== undefined && isBefore(right, heap[child] as ScheduledEvent)) child++
      const below = heap[child] as ScheduledEvent
      if (!isBefore(below, last)) break
      heap[at] = below
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

const resolved = Promise.resolve()

/** Calls `next` when no promise reaction is left to run. */
function afterReactions(next: () => void): void {
  void resolved.then(() => process.nextTick(next))
}
