/**
 * Several stream threads in one process, each a member of the group with its own event loop and connections:
 *
 *   - one that crashes (an error that nobody caught, or one that the program takes for impossible) is started again, and takes its
 *     place in the group back; the others go on. Crashes in quick succession end the process.
 *   - one that meets what it cannot survive (the disk is full, a topic was recreated) ends the process: the others are stopped in order.
 *   - one that does not say how it stands for `maxStallMs` is ended where it stands, and the process with it.
 */
import { CodedError, coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Thread, ThreadHost } from '../../ports/threads.ts'
import type { TaskStatus } from '../runtime/task-status.ts'
import { type FromThread, fromPlain, statusIntervalMs, type ToThread } from './thread-messages.ts'

/** A thread that crashes more often than this within `crashWindowMs` ends the process. */
const mostCrashes = 3
const crashWindowMs = 600_000
const firstRestartMs = 500
/** After a failure of one thread the others have so long to end in order. */
const endWithinMs = 60_000
/** A thread that has said nothing for so long is not known to run its tasks. */
const knownWithinMs = 10 * statusIntervalMs
/** Each subtopology has a task at least, and what is worth more than one thread has two subtopologies. */
const fewestTasks = 2

export interface StreamThreadsOptions {
  readonly host: ThreadHost
  readonly count: number
  /** No more threads than there are tasks, which the first ones find out. */
  readonly atMostTasks: boolean
  /** What each thread is given, from 0 to `count - 1`. */
  dataOf(index: number): unknown
  readonly maxStallMs: number
  readonly clock: Clock
  readonly log: Log
}

interface Place {
  readonly index: number
  thread: Thread | null
  tasks: readonly TaskStatus[]
  isAssigned: boolean
  heardAt: number
  /** When it has crashed, of late. */
  crashes: number[]
}

export class StreamThreads {
  readonly #options: StreamThreadsOptions
  readonly #places: Place[] = []
  readonly #runs: Promise<void>[] = []
  /** Questions under way, by id. */
  readonly #asked = new Map<number, (answer: unknown) => void>()
  #lastQuestion = 0
  #restarts = 0
  #isStopping = false
  #failure: CodedError | null = null
  readonly #stopping = Promise.withResolvers<undefined>()

  constructor(options: StreamThreadsOptions) {
    this.#options = options
  }

  /** Resolves after `stop`, when all threads have ended in order; rejects with the first CodedError that ended one for good. */
  async run(): Promise<void> {
    const { count, atMostTasks } = this.#options
    const endWatch = this.#watch()
    try {
      this.#grow(atMostTasks ? Math.min(count, fewestTasks) : count)
      // More may be started while these run.
      for (let awaited = 0; awaited < this.#runs.length; ) {
        awaited = this.#runs.length
        await Promise.all(this.#runs)
      }
    } finally {
      endWatch()
    }
    if (this.#failure !== null) throw this.#failure
  }

  stop(): void {
    this.#isStopping = true
    this.#stopping.resolve(undefined)
    for (const { thread } of this.#places) thread?.send({ type: 'stop' } satisfies ToThread)
  }

  /** Of all threads, as they have told last; those that have not told for long are left out. */
  status(): TaskStatus[] {
    return this.#places.flatMap((place) => (this.#isKnown(place) ? place.tasks : []))
  }

  #isKnown({ heardAt }: Place): boolean {
    return this.#options.clock.monotonic() - heardAt <= knownWithinMs
  }

  /** Whether the group has given all threads their tasks, be it none. */
  get isAssigned(): boolean {
    return this.#places.length > 0 && this.#places.every((place) => place.isAssigned && this.#isKnown(place))
  }

  /** How many threads have been started again after a crash. */
  get restarts(): number {
    return this.#restarts
  }

  /** Asks all running threads. Their answers; those that do not answer within `timeoutMs`, or have none, are left out. */
  async ask(question: unknown, timeoutMs: number): Promise<unknown[]> {
    const running = this.#places.flatMap(({ thread }) => thread ?? [])
    const answers = await Promise.all(running.map((thread) => this.#askOne(thread, question, timeoutMs)))
    return answers.filter((answer) => answer !== undefined)
  }

  async #askOne(thread: Thread, question: unknown, timeoutMs: number): Promise<unknown> {
    const id = ++this.#lastQuestion
    const { promise, resolve } = Promise.withResolvers<unknown>()
    this.#asked.set(id, resolve)
    const cancel = this.#options.clock.setTimer(timeoutMs, () => resolve(undefined))
    thread.send({ type: 'ask', id, question } satisfies ToThread)
    try {
      return await promise
    } finally {
      cancel()
      this.#asked.delete(id)
    }
  }

  #grow(count: number): void {
    while (this.#places.length < count && !this.#isStopping) {
      const index = this.#places.length
      const heardAt = this.#options.clock.monotonic()
      const place: Place = { index, thread: null, tasks: [], isAssigned: false, heardAt, crashes: [] }
      this.#places.push(place)
      this.#runs.push(this.#keepRunning(place))
    }
  }

  async #keepRunning(place: Place): Promise<void> {
    const { clock, log } = this.#options
    while (!this.#isStopping) {
      const failure = await this.#runOnce(place)
      if (failure === null) return
      if (failure.code !== 'INTERNAL') return this.#fail(failure)
      const now = clock.monotonic()
      place.crashes = [...place.crashes.filter((at) => now - at < crashWindowMs), now]
      if (place.crashes.length > mostCrashes || this.#isStopping) return this.#fail(failure)
      const restartInMs = firstRestartMs * 2 ** (place.crashes.length - 1)
      this.#restarts += 1
      log.error({ thread: place.index, restartInMs, error: failure }, 'A stream thread has crashed')
      await Promise.race([clock.sleep(restartInMs), this.#stopping.promise])
    }
  }

  /** Resolves when the thread has ended: with null if in order. */
  async #runOnce(place: Place): Promise<CodedError | null> {
    const { host, dataOf, clock } = this.#options
    const thread = host.start(dataOf(place.index))
    place.thread = thread
    place.heardAt = clock.monotonic()
    const words: FromThread[] = []
    thread.onMessage((message) => {
      const told = message as FromThread
      place.heardAt = clock.monotonic()
      if (told.type === 'status') this.#noteStatus(place, told)
      else if (told.type === 'answer') this.#asked.get(told.id)?.(told.answer)
      else words.push(told)
    })
    const uncaught = await thread.ended
    place.thread = null
    place.tasks = []
    place.isAssigned = false
    return failureOf(uncaught, words.at(-1))
  }

  #noteStatus(place: Place, { tasks, taskCount, isAssigned }: FromThread & { type: 'status' }): void {
    place.tasks = tasks
    place.isAssigned = isAssigned
    const { count, atMostTasks } = this.#options
    if (atMostTasks && taskCount !== null) this.#grow(Math.min(count, taskCount))
  }

  /** The first failure counts; the others are ended because of it. */
  #fail(failure: CodedError): void {
    if (this.#failure !== null) return
    this.#failure = failure
    this.stop()
    this.#options.clock.setTimer(endWithinMs, () => {
      for (const { thread } of this.#places) thread?.terminate()
    })
  }

  /** Ends threads whose event loop stands still: a loop that turns watches itself. */
  #watch(): () => void {
    const { clock, maxStallMs } = this.#options
    let cancel = (): void => {}
    const look = (): void => {
      const now = clock.monotonic()
      for (const { index, thread, heardAt } of this.#places) {
        if (thread === null || now - heardAt <= maxStallMs) continue
        const detail = `Thread ${index} has said nothing for ${Math.round(now - heardAt)} ms.`
        this.#fail(new CodedError('STALLED', { operation: 'watch the stream threads', detail }))
        thread.terminate()
      }
      cancel = clock.setTimer(statusIntervalMs, look)
    }
    look()
    return () => cancel()
  }
}

function failureOf(uncaught: Error | null, last: FromThread | undefined): CodedError | null {
  if (uncaught !== null) return coded(uncaught, 'run a stream thread')
  if (last?.type !== 'ended') {
    return new CodedError('INTERNAL', {
      operation: 'run a stream thread',
      detail: 'It ended without a word.',
    })
  }
  return last.error === null ? null : fromPlain(last.error)
}
