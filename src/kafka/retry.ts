/** Trying again: how long to wait, what is worth it, and until when. */
import { CodedError, coded } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Random } from '../ports/random.ts'
import { kafkaCodeOf } from './broker-errors.ts'
import { kafkaError } from './wire/wire.ts'

const firstDelayMs = 5
const longestDelayMs = 1000
const quickDelayMs = 1
const quickAttempts = 4
/** How long a topic may be unknown to the brokers before it counts as missing: news of a new one travels. */
export const missingTopicMs = 5000
const warnEveryMs = 5000

/** Delays of 5-20 ms first, then growing to about a second, each with jitter. */
export class Backoff {
  private readonly random: Random
  private attempts = 0

  constructor(random: Random) {
    this.random = random
  }

  /** The next delay in milliseconds. */
  next(): number {
    const longest = Math.min(longestDelayMs, 4 * firstDelayMs * 2 ** this.attempts)
    this.attempts = Math.min(this.attempts + 1, 10)
    return longest / 4 + this.random.next() * ((longest * 3) / 4)
  }

  /**
   * For what the end of a transaction settles in a moment: 1-4 ms at first, as a broker mostly needs for its markers, then
   * 5-20 ms, and no more than that.
   */
  brief(): number {
    const shortest = this.attempts++ < quickAttempts ? quickDelayMs : firstDelayMs
    return shortest + this.random.next() * 3 * shortest
  }

  reset(): void {
    this.attempts = 0
  }
}

export interface RetryContext {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface RetryOptions {
  /** When to give up, on the monotonic clock. */
  readonly deadline: number
  /** The request may be sent again even if nobody knows whether the last one took effect. */
  readonly idempotent?: boolean
  /** Give up if the process itself stood still for so long between two attempts: others may have acted meanwhile. */
  readonly stallMs?: number
}

/**
 * Runs `attempt` until it succeeds, meets a lasting failure, or the deadline has passed; then its last failure is thrown.
 * `attempt` is told how many milliseconds are left.
 */
export async function retry<T>(
  context: RetryContext,
  options: RetryOptions,
  attempt: (remainingMs: number) => Promise<T>,
): Promise<T> {
  const { clock } = context
  const backoff = new Backoff(context.random)
  const startedAt = clock.monotonic()
  let warnedAt = startedAt
  for (;;) {
    const failure = await tryOnce(() => attempt(remainingMs(clock, options.deadline)))
    if (!(failure instanceof CodedError)) return failure.result
    const failedAt = clock.monotonic()
    if (!isPassing(failure, options, failedAt - startedAt)) throw failure
    const delayMs = isBrief(failure) ? backoff.brief() : backoff.next()
    if (failedAt + delayMs >= options.deadline) throw failure
    if (failedAt - warnedAt >= warnEveryMs) {
      context.log.warn({ error: failure, lastedMs: Math.round(failedAt - startedAt) }, 'still trying')
      warnedAt = failedAt
    }
    await clock.sleep(delayMs)
    const stoodStillMs = clock.monotonic() - failedAt - delayMs
    if (options.stallMs !== undefined && stoodStillMs > options.stallMs) throw failure
  }
}

async function tryOnce<T>(attempt: () => Promise<T>): Promise<{ result: T } | CodedError> {
  try {
    return { result: await attempt() }
  } catch (error) {
    return coded(error, 'retry')
  }
}

function isPassing(failure: CodedError, options: RetryOptions, lastedMs: number): boolean {
  if (failure.behaviour === 'retry') return true
  if (failure.code === 'OUTCOME_UNKNOWN') return options.idempotent === true
  return failure.code === 'TOPIC_MISSING' && lastedMs < missingTopicMs
}

/** Whole milliseconds until `deadline`, at least one, so that they can be a time-out. */
export function remainingMs(clock: Clock, deadline: number): number {
  return Math.max(1, Math.ceil(deadline - clock.monotonic()))
}

/** Another transaction is being finished: that takes milliseconds, however often it was asked. */
function isBrief(failure: CodedError): boolean {
  const kafkaCode = kafkaCodeOf(failure)
  return kafkaCode === kafkaError.CONCURRENT_TRANSACTIONS || kafkaCode === kafkaError.UNSTABLE_OFFSET_COMMIT
}
