/**
 * The heartbeats of one membership, on a timer of their own.
 *
 * The broker drops a member from which it has heard nothing for the session time-out. It counts from the arrival of a
 * heartbeat; this side counts from its sending, which is earlier, so it gives itself up first. A process that was stopped
 * finds its timers late: what decides is the monotonic clock, asked whenever somebody wants to know.
 */
import { type CodedError, coded } from '../errors.ts'
import type { GroupIdentity } from '../ports/kafka.ts'
import { groupKey } from './cluster.ts'
import type { PortContext } from './context.ts'
import { heartbeatLane } from './lanes.ts'
import { Backoff } from './retry.ts'
import { kafkaError } from './wire/wire.ts'

/**
 * A member hears of a rebalance by its next heartbeat, and all wait for the last one to hear of it: short, so that a rebalance
 * is. No shorter, for each heartbeat takes about a quarter of a millisecond of the broker, and half of that of this process.
 */
const longestIntervalMs = 100

export interface HeartbeatListener {
  /** What the group answered for this membership; also NONE. */
  answered(kafkaCode: number): void
  /** No heartbeat has succeeded for the session time-out. */
  expired(): void
}

export class Heartbeats {
  private readonly context: PortContext
  private readonly sessionTimeoutMs: number
  private readonly listener: HeartbeatListener
  private readonly backoff: Backoff
  private identity: GroupIdentity | null = null
  private contactAt = 0
  private cancelTimer: (() => void) | null = null

  constructor(context: PortContext, sessionTimeoutMs: number, listener: HeartbeatListener) {
    this.context = context
    this.sessionTimeoutMs = sessionTimeoutMs
    this.listener = listener
    this.backoff = new Backoff(context.random)
  }

  /** Begins with the answer to JoinGroup: the broker counts the session from there. */
  start(identity: GroupIdentity): void {
    this.stop()
    this.identity = identity
    this.contactAt = this.context.clock.monotonic()
    this.schedule(identity, this.intervalMs())
  }

  stop(): void {
    this.identity = null
    this.cancelTimer?.()
    this.cancelTimer = null
  }

  /** Whether the session may have run out unnoticed. */
  hasExpired(): boolean {
    return this.identity !== null && this.context.clock.monotonic() - this.contactAt > this.sessionTimeoutMs
  }

  /** One heartbeat, now: the code that the group answered. Throws if there was no answer. */
  async beat(identity: GroupIdentity, timeoutMs: number): Promise<number> {
    const group = groupKey(identity.groupId)
    const sentAt = this.context.clock.monotonic()
    const options = { timeoutMs, lane: heartbeatLane }
    const { errorCode } = await this.context.cluster.toCoordinator(group, 'Heartbeat', identity, options)
    const isKnown = errorCode === kafkaError.NONE || errorCode === kafkaError.REBALANCE_IN_PROGRESS
    if (isKnown && identity === this.identity) this.contactAt = Math.max(this.contactAt, sentAt)
    return errorCode
  }

  private intervalMs(): number {
    return Math.min(longestIntervalMs, this.sessionTimeoutMs / 6)
  }

  private schedule(identity: GroupIdentity, delayMs: number): void {
    if (this.identity !== identity) return
    this.cancelTimer = this.context.clock.setTimer(delayMs, () => {
      void this.onTimer(identity)
    })
  }

  private async onTimer(identity: GroupIdentity): Promise<void> {
    if (this.hasExpired()) this.listener.expired()
    const failure = await this.tryBeat(identity)
    // Stopped meanwhile, or begun anew after a join: this answer is about a membership that is over.
    if (this.identity !== identity) return
    if (this.hasExpired()) this.listener.expired()
    if (failure === null) {
      this.backoff.reset()
      this.schedule(identity, this.intervalMs())
      return
    }
    this.context.log.debug({ error: failure, groupId: identity.groupId }, 'a heartbeat failed')
    this.schedule(identity, Math.min(this.intervalMs(), this.backoff.next()))
  }

  /** Null if the group has answered about the membership. */
  private async tryBeat(identity: GroupIdentity): Promise<CodedError | null> {
    try {
      const errorCode = await this.beat(identity, this.sessionTimeoutMs / 3)
      if (errorCode !== kafkaError.NONE) {
        const group = groupKey(identity.groupId)
        const failure = this.context.cluster.coordinatorError(group, errorCode, 'Heartbeat')
        if (failure.behaviour === 'retry' || failure.code === 'OUTCOME_UNKNOWN') return failure
      }
      if (this.identity === identity) this.listener.answered(errorCode)
      return null
    } catch (error) {
      return coded(error, 'Heartbeat')
    }
  }
}
