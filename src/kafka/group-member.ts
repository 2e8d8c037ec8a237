/**
 * One member of a consumer group, by Kafka's classic protocol:
 *
 *   1. JoinGroup: held back until all members have joined. Member id and generation are known from its answer on, and the
 *      heartbeats run.
 *   2. The member that is named as leader computes everybody's assignment.
 *   3. SyncGroup: brings the leader's plan, gives each its part.
 *   4. Heartbeats, until one of them says that the group rebalances: back to 1.
 *
 * A member with an instance id (static) that comes back gets its old place and its assignment at once, in the same generation;
 * JoinGroup's answer then may name the id of its former life as the leader, which makes this one a follower.
 */
import { CodedError, coded } from '../errors.ts'
import type {
  ConsumerOffset,
  GroupIdentity,
  GroupMember,
  GroupOptions,
  MemberAssignment,
  TopicPartition,
} from '../ports/kafka.ts'
import { groupKey, requestTimeoutMs } from './cluster.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  protocolType,
} from './consumer-protocol.ts'
import type { PortContext } from './context.ts'
import { stableOffsets } from './group-offsets.ts'
import { Heartbeats } from './heartbeats.ts'
import { heartbeatLane } from './lanes.ts'
import { Backoff, retry } from './retry.ts'
import { type Apis, kafkaError } from './wire/wire.ts'

/** Added to what the broker may hold a first JoinGroup back for. */
const heldBackSlackMs = 10_000
/**
 * The broker holds JoinGroup and SyncGroup back while others are awaited. A member that it knows asks again after so long, since the
 * connection may be dead as well: the broker then goes on waiting, and answers the newer request.
 */
const askAgainMs = 15_000
const warnEveryMs = 5000
/** A member that is fenced more often than this within a minute gives up: another process lives with its instance id. */
const mostTakeBacks = 3
const takeBackWindowMs = 60_000

export class ConsumerGroupMember implements GroupMember {
  private readonly context: PortContext
  private readonly options: GroupOptions
  private readonly heartbeats: Heartbeats
  private readonly lane: string
  private readonly listeners: (() => void)[] = []
  private memberId = ''
  private current: GroupIdentity | null = null
  private reason: string | null = 'not joined yet'
  /** Another join has taken our place, and we have not taken it back. */
  private fenced = false
  private takenBackAt: number[] = []
  private lost = false
  private closed = false
  private attempt: JoinAttempt | null = null
  private joining: Promise<unknown> = Promise.resolve()

  constructor(context: PortContext, options: GroupOptions) {
    this.context = context
    this.options = options
    this.lane = context.lanes.take('join')
    this.heartbeats = new Heartbeats(context, options.sessionTimeoutMs, {
      answered: (kafkaCode) => this.heard(kafkaCode),
      expired: () => this.lose('session timed out'),
    })
  }

  async join(): Promise<MemberAssignment | null> {
    // A join that was cancelled may still be held back by the broker.
    await this.joining
    const attempt = new JoinAttempt()
    this.attempt = attempt
    const joined = this.joinUntilDone(attempt)
    this.joining = joined.catch(() => undefined)
    return await Promise.race([joined, attempt.cancelled])
  }

  cancelJoin(): void {
    this.attempt?.cancel()
  }

  identity(): GroupIdentity {
    if (this.current === null) {
      throw new CodedError('INTERNAL', {
        operation: 'GroupMember.identity',
        detail: 'There was no join yet.',
      })
    }
    return this.current
  }

  rejoinReason(): string | null {
    if (this.heartbeats.hasExpired()) this.lose('session timed out')
    return this.reason
  }

  wasLost(): boolean {
    if (this.heartbeats.hasExpired()) this.lose('session timed out')
    return this.lost
  }

  onRejoinNeeded(listener: () => void): void {
    this.listeners.push(listener)
  }

  requestRejoin(reason: string): void {
    if (this.reason !== null) return
    this.reason = reason
    this.context.log.info({ groupId: this.options.groupId, memberId: this.memberId, reason }, 'rejoin needed')
    for (const listener of this.listeners) listener()
  }

  async confirm(): Promise<void> {
    const identity = this.identity()
    const { clock, cluster } = this.context
    const { sessionTimeoutMs, groupId } = this.options
    const deadline = clock.monotonic() + sessionTimeoutMs
    const beat = async (remainingMs: number) => {
      const sentAt = clock.monotonic()
      const kafkaCode = await this.heartbeats.beat(identity, Math.min(remainingMs, requestTimeoutMs))
      if (kafkaCode === kafkaError.NONE || kafkaCode === kafkaError.REBALANCE_IN_PROGRESS) {
        if (this.current === identity) this.heard(kafkaCode)
        // An answer that this process was too slow to read proves nothing about now.
        if (clock.monotonic() - sentAt <= sessionTimeoutMs) return
        throw new CodedError('KAFKA_RETRIABLE', { operation: 'Heartbeat', detail: 'The answer is stale.' })
      }
      const failure = cluster.coordinatorError(groupKey(groupId), kafkaCode, 'Heartbeat')
      if (this.current === identity) this.heard(kafkaCode)
      throw failure
    }
    try {
      this.refuseWhereLost()
      await retry(this.context, { deadline, idempotent: true }, beat)
    } catch (error) {
      const failure = coded(error, 'Heartbeat')
      if (failure.behaviour === 'stop') throw failure
      this.lose('not confirmed')
      throw new CodedError('TASK_MIGRATED', {
        operation: 'confirm the membership',
        detail: failure.details.detail ?? failure.code,
        cause: failure,
      })
    }
  }

  async committedOffsets(partitions: readonly TopicPartition[]): Promise<(ConsumerOffset | null)[]> {
    return await stableOffsets(this.context, this.options.groupId, partitions)
  }

  async close(leaveGroup: boolean): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.cancelJoin()
    this.heartbeats.stop()
    this.reason = 'closed'
    // An instance id is enough to leave: the answer to the first join, with the member id, may still be held back.
    const mayBeKnown = this.memberId !== '' || (this.attempt !== null && this.options.instanceId !== null)
    if (leaveGroup && mayBeKnown && !this.fenced) await this.leave()
    // The broker may still hold a JoinGroup of ours back: the lane is free once that has ended.
    void this.joining.then(() => this.context.lanes.release(this.lane))
  }

  private async joinUntilDone(attempt: JoinAttempt): Promise<MemberAssignment | null> {
    const { clock, log, random } = this.context
    const backoff = new Backoff(random)
    let warnedAt = clock.monotonic()
    while (!attempt.isCancelled) {
      this.refuseWhereOver()
      try {
        return await this.joinOnce(attempt)
      } catch (error) {
        const failure = coded(error, 'join the group')
        if (failure.code === 'MEMBER_FENCED' || !isPassing(failure)) throw failure
        this.heartbeats.stop()
        if (clock.monotonic() - warnedAt >= warnEveryMs) {
          log.warn({ error: failure, groupId: this.options.groupId }, 'still trying to join the group')
          warnedAt = clock.monotonic()
        }
      }
      await clock.sleep(backoff.next())
    }
    return null
  }

  /** Steps 1-3, once. TASK_MIGRATED, like every passing failure, means: from the start. */
  private async joinOnce(attempt: JoinAttempt): Promise<MemberAssignment | null> {
    const { groupId, instanceId } = this.options
    const joined = await this.joinGroup()
    this.memberId = joined.memberId
    if (attempt.isCancelled) return null
    const identity = { groupId, generationId: joined.generationId, memberId: joined.memberId, instanceId }
    this.current = identity
    this.reason = null
    this.lost = false
    this.heartbeats.start(identity)
    const isLeader = joined.leaderId === joined.memberId
    const assignments = isLeader ? await this.assign(joined.members) : []
    const synced = await this.ask('SyncGroup', { ...identity, assignments })
    if (attempt.isCancelled) {
      this.heartbeats.stop()
      return null
    }
    const fields = { groupId, memberId: identity.memberId, generationId: identity.generationId, isLeader }
    this.context.log.info(fields, 'joined the group')
    return decodeAssignment(synced.assignment)
  }

  private async joinGroup(): Promise<Apis['JoinGroup']['answer']> {
    const { groupId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, protocol, topics } = this.options
    const metadata = encodeSubscription({ topics, userData: await this.options.userData() })
    // From here on the broker waits for the others, not for our heartbeats.
    this.heartbeats.stop()
    this.reason = 'joining'
    const request = {
      groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.memberId,
      instanceId,
      protocolType,
      protocols: [{ name: protocol, metadata }],
    }
    return await this.ask('JoinGroup', request)
  }

  private async assign(
    members: Apis['JoinGroup']['answer']['members'],
  ): Promise<{ memberId: string; assignment: Buffer }[]> {
    const infos = members.map(({ memberId, instanceId, metadata }) => ({
      memberId,
      instanceId,
      userData: decodeSubscription(metadata).userData,
    }))
    const plan = await this.options.assign(infos)
    return [...plan].map(([memberId, assignment]) => ({ memberId, assignment: encodeAssignment(assignment) }))
  }

  /** A request that the broker may hold back, on the member's own lane. */
  private async ask<A extends 'JoinGroup' | 'SyncGroup'>(
    api: A,
    request: Apis[A]['request'],
  ): Promise<Apis[A]['answer']> {
    const group = groupKey(this.options.groupId)
    const options = { timeoutMs: this.answerMs(request.memberId), lane: this.lane }
    const answer = await this.context.cluster.toCoordinator(group, api, request, options)
    if (answer.errorCode === kafkaError.NONE) return answer
    if (answer.errorCode === kafkaError.MEMBER_ID_REQUIRED && 'memberId' in answer && this.memberId === '') {
      // The broker wants to see us come back with the id that it has given before it lets us in.
      this.memberId = answer.memberId
      return await this.ask(api, { ...request, memberId: answer.memberId })
    }
    this.heard(answer.errorCode)
    throw this.context.cluster.coordinatorError(group, answer.errorCode, api)
  }

  /** Without a member id, one of two requests would fence the other, if it came later than it was sent. */
  private answerMs(memberId: string): number {
    const { rebalanceTimeoutMs, sessionTimeoutMs } = this.options
    return memberId === '' ? Math.max(rebalanceTimeoutMs, sessionTimeoutMs) + heldBackSlackMs : askAgainMs
  }

  /** Draws the consequences of a code that the group has answered to a heartbeat, JoinGroup or SyncGroup. */
  private heard(kafkaCode: number): void {
    switch (kafkaCode) {
      case kafkaError.REBALANCE_IN_PROGRESS:
        this.requestRejoin('rebalance')
        break
      case kafkaError.ILLEGAL_GENERATION:
        this.heartbeats.stop()
        this.lose('illegal generation')
        break
      case kafkaError.UNKNOWN_MEMBER_ID:
        this.heartbeats.stop()
        this.memberId = ''
        this.lose('unknown member id')
        break
      case kafkaError.FENCED_INSTANCE_ID:
        this.heartbeats.stop()
        this.memberId = ''
        this.fenced = true
        this.lose('fenced')
        break
    }
  }

  private lose(reason: string): void {
    this.lost = true
    this.requestRejoin(reason)
  }

  private refuseWhereOver(): void {
    if (this.closed)
      throw new CodedError('INTERNAL', { operation: 'join the group', detail: 'The member was closed.' })
    if (this.fenced) this.takeBack()
  }

  /**
   * A JoinGroup that this process, or the one before it in this place, has given up may still arrive, and take the place of the member
   * that lives. Nobody answers for it, so the place is taken back; a process would take it again and again.
   */
  private takeBack(): void {
    const now = this.context.clock.monotonic()
    const lately = this.takenBackAt.filter((at) => now - at < takeBackWindowMs)
    if (lately.length >= mostTakeBacks) throw this.fencedError()
    this.takenBackAt = [...lately, now]
    this.fenced = false
    const { groupId, instanceId } = this.options
    this.context.log.warn(
      { groupId, instanceId },
      'another join has taken the place of this member: it is taken back',
    )
  }

  /** Once the group has said that it does not know us, no heartbeat needs to ask again. */
  private refuseWhereLost(): void {
    const known = this.current !== null && this.memberId === this.current.memberId
    if (known && !this.fenced && !this.closed) return
    throw new CodedError('TASK_MIGRATED', { operation: 'Heartbeat', detail: 'The membership is over.' })
  }

  private fencedError(): CodedError {
    return new CodedError('MEMBER_FENCED', {
      operation: 'join the group',
      detail: `Group ${this.options.groupId}, instance id ${this.options.instanceId}.`,
    })
  }

  private async leave(): Promise<void> {
    const { groupId, instanceId } = this.options
    const group = groupKey(groupId)
    const request = { groupId, members: [{ memberId: this.memberId, instanceId }] }
    const deadline = this.context.clock.monotonic() + requestTimeoutMs
    try {
      await retry(this.context, { deadline }, async (timeoutMs) => {
        const options = { timeoutMs, lane: heartbeatLane }
        const answer = await this.context.cluster.toCoordinator(group, 'LeaveGroup', request, options)
        const code = answer.errorCode === kafkaError.NONE ? answer.members[0]?.errorCode : answer.errorCode
        if (code !== undefined && code !== kafkaError.NONE) {
          throw this.context.cluster.coordinatorError(group, code, 'LeaveGroup')
        }
      })
    } catch (error) {
      // Then the group finds out by the session time-out.
      this.context.log.info({ error, groupId }, 'the group could not be told that this member leaves')
    }
  }
}

/** One call of `join`, which may be given up before the broker lets go of it. */
class JoinAttempt {
  readonly cancelled: Promise<null>
  isCancelled = false
  private readonly resolve: (value: null) => void

  constructor() {
    const { promise, resolve } = Promise.withResolvers<null>()
    this.cancelled = promise
    this.resolve = resolve
  }

  cancel(): void {
    this.isCancelled = true
    this.resolve(null)
  }
}

function isPassing(failure: CodedError): boolean {
  return (
    failure.behaviour === 'retry' || failure.code === 'OUTCOME_UNKNOWN' || failure.code === 'TASK_MIGRATED'
  )
}
