import { CodedError, coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type {
  Fetcher,
  GroupIdentity,
  GroupMember,
  MemberAssignment,
  TopicPartition,
} from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { WakeUp } from '../../ports/wake-up.ts'
import { tasksOf } from '../rebalance/assignor.ts'
import { type AssignmentMetadata, decodeAssignmentMetadata } from '../rebalance/member-metadata.ts'
import { StandbyTasks } from '../standby/standby-tasks.ts'
import type { StreamTask } from '../task/stream-task.ts'
import type { TaskEnvironment } from '../task/task-environment.ts'
import { assertSameFingerprint, type Fingerprint } from './fingerprint.ts'
import { TaskManager } from './task-manager.ts'

/** How long one task may work before the next one, and the sockets, have a turn. */
const sliceMs = 5
/** The loop looks around at least so often while there is nothing to do. */
const idleMs = 25
/** A plan that still waits, although all is warm here, is asked for again after so long. */
const askAgainMs = 1000

/**
 * One member of the group with its own loop:
 *
 *   rejoin if needed -> fetched chunks to their tasks -> process -> commits and punctuations that are due -> wait
 *
 * Only this loop starts anything for a task, so there are no races between its parts. Heartbeats do not depend on it.
 */
export class StreamThread {
  readonly #environment: TaskEnvironment
  readonly #clock: Clock
  readonly #log: Log
  readonly #member: GroupMember
  readonly #inputs: Fetcher
  readonly #tasks: TaskManager
  readonly #standbys: StandbyTasks
  /** The last assignment's, if the next one waits for any of its standby tasks. */
  #awaiting: AssignmentMetadata | null = null
  readonly #wakeUp: WakeUp
  readonly #leaveGroupOnStop: boolean
  #askedAt = Number.NEGATIVE_INFINITY
  #asked = 0
  #isStopping = false
  #isJoining = false
  /** Of the last join. */
  #identity: GroupIdentity | null = null
  #lookedAroundAt: number

  constructor(environment: TaskEnvironment, options: { leaveGroupOnStop: boolean }) {
    this.#environment = environment
    this.#clock = environment.clock
    this.#log = environment.log
    this.#member = environment.member
    this.#inputs = environment.inputs
    this.#wakeUp = new WakeUp(environment.clock)
    this.#tasks = new TaskManager(environment, this.#wakeUp.call)
    this.#standbys = new StandbyTasks(environment)
    this.#leaveGroupOnStop = options.leaveGroupOnStop
    this.#lookedAroundAt = environment.clock.monotonic()
    this.#inputs.onArrival(this.#wakeUp.call)
    this.#member.onRejoinNeeded(this.#wakeUp.call)
  }

  get tasks(): StreamTask[] {
    return this.#tasks.tasks
  }

  get taskIds(): string[] {
    return this.#tasks.taskIds
  }

  /** How many plans it has asked the group for, other than by what it says of itself. */
  get plansAsked(): number {
    return this.#asked
  }

  /** Whether the group has given tasks, be it none, and no join is under way. */
  get isAssigned(): boolean {
    return this.#identity !== null && !this.#isJoining && this.#member.rejoinReason() === null
  }

  /** By standby task, how many changelog records its store is behind; null while unknown. */
  get standbyLags(): Readonly<Record<string, number | null>> {
    return this.#standbys.lags
  }

  /**
   * Runs until `stop`. Resolves when everything is committed and closed. Rejects with the error that ends the thread, after its
   * tasks have been given up.
   */
  async run(): Promise<void> {
    try {
      while (!this.#isStopping) await this.#turn()
      await this.#tasks.commitAll()
      this.#tasks.settleLastFailures()
    } catch (error) {
      // Others shall have the tasks at once: this process will not come back by itself.
      await this.#end('dirty', true).catch((second: unknown) =>
        this.#log.error({ error: second }, 'Could not end in order'),
      )
      throw error
    }
    await this.#end('clean', this.#leaveGroupOnStop)
  }

  /** Ends the loop after its current turn. */
  stop(): void {
    this.#isStopping = true
    this.#wakeUp.call()
    // A join can wait for other members, or for Kafka, without end.
    if (this.#isJoining) this.#member.cancelJoin()
  }

  async #turn(): Promise<void> {
    this.#lookedAroundAt = this.#clock.monotonic()
    if (this.#member.rejoinReason() !== null) await this.#rebalance()
    if (this.#isStopping) return
    await this.#tasks.handleFailures()
    await this.#handleReadingFailure()
    this.#askForWarmTasks()
    if (this.#takeChunks()) await this.#clock.yield()
    this.#tasks.startDueOperations()
    const isBusy = this.#tasks.process(sliceMs)
    this.#tasks.startDueOperations()
    if (isBusy) await this.#clock.yield()
    else await this.#wakeUp.wait(idleMs)
  }

  /** Gives fetched chunks to their tasks. The fetcher asks for the next ones as soon as the event loop turns. */
  #takeChunks(): boolean {
    let hasTaken = false
    for (let chunk = this.#inputs.poll(); chunk !== null; chunk = this.#inputs.poll()) {
      this.#tasks.enqueue(chunk)
      hasTaken = true
    }
    return hasTaken
  }

  /**
   * A partition that cannot be read stops the process; but first the group must say that it still is ours: the position of a zombie
   * may have been purged by the new owner.
   */
  async #handleReadingFailure(): Promise<void> {
    try {
      this.#inputs.throwFailure()
      this.#standbys.throwFailure()
    } catch (error) {
      const failure = coded(error, 'read the input')
      try {
        await this.#member.confirm()
      } catch (confirmation) {
        if (coded(confirmation, 'confirm the membership').behaviour !== 'rejoin') throw confirmation
        this.#log.warn({ code: failure.code }, failure.message)
        // What has failed is not read any more; the next assignment begins anew.
        await this.#standbys.closeAll()
        return
      }
      throw failure
    }
  }

  /** Commits, joins, and takes what is assigned. Tasks that stay keep their store and go on where they were. */
  async #rebalance(): Promise<void> {
    const reason = this.#member.rejoinReason()
    const startedAt = this.#clock.monotonic()
    if (this.#member.wasLost()) {
      // Others may have our tasks: nothing of what is in memory is worth a try.
      await this.#tasks.closeAll('dirty')
    } else {
      await this.#tasks.commitAll()
      await this.#tasks.handleFailures()
    }
    const assignment = await this.#join()
    if (assignment === null) return
    await this.#enterGeneration()
    const metadata = decodeAssignmentMetadata(assignment.userData)
    this.#assertAccepted(metadata.groupFingerprint)
    await this.#compareTopics(assignment, metadata.partitions ?? {})
    const assigned = tasksOf(this.#environment.topology, assignment.partitions)
    const { added, revoked } = await this.#tasks.assign(assigned, (id) => this.#standbys.take(id))
    const { standbyTasks } = metadata
    await this.#standbys.assign(standbyTasks)
    this.#awaiting = metadata.awaitedTasks.length === 0 ? null : metadata
    const durationMs = Math.round(this.#clock.monotonic() - startedAt)
    const standby = standbyTasks.length === 0 ? {} : { standbyTasks }
    this.#log.info({ reason, assigned, added, revoked, ...standby, durationMs }, 'Tasks assigned')
    this.#environment.observer.rebalanced?.({ assigned, revoked, durationMs })
  }

  /**
   * A join can take so long that the group has gone on without us, or that another process, with a copy of our state directory, has been
   * in our place. Unless we have kept our member id, and the generation is ours or the next one, others may have owned our tasks in
   * between: what is in memory means nothing, even if the tasks are ours again.
   */
  async #enterGeneration(): Promise<void> {
    const before = this.#identity
    const identity = this.#member.identity()
    this.#identity = identity
    if (before !== null && !isNextOf(before, identity)) await this.#tasks.closeAll('dirty')
    this.#environment.transactions.commitAs(identity)
  }

  /** Tasks that wait for their stores to become warm here shall come now. */
  #askForWarmTasks(): void {
    if (this.#awaiting === null) return
    const { awaitedTasks, acceptableLag } = this.#awaiting
    const now = this.#clock.monotonic()
    if (acceptableLag === null || now - this.#askedAt < askAgainMs) return
    const { lags } = this.#standbys
    if (!awaitedTasks.every((task) => (lags[task] ?? Number.POSITIVE_INFINITY) <= acceptableLag)) return
    this.#awaiting = null
    this.#askedAt = now
    this.#askForPlan('standby tasks are warm')
  }

  #askForPlan(reason: string): void {
    this.#asked += 1
    this.#member.requestRejoin(reason)
  }

  async #join(): Promise<MemberAssignment | null> {
    if (this.#isStopping) return null
    this.#isJoining = true
    try {
      return await this.#member.join()
    } finally {
      this.#isJoining = false
      // A join may have waited for Kafka for long: that is no stall.
      this.#lookedAroundAt = this.#clock.monotonic()
    }
  }

  /** The plan may know of partitions that we have not heard of, or we of some that it lacks. */
  async #compareTopics(
    assignment: MemberAssignment,
    planned: Readonly<Record<string, number>>,
  ): Promise<void> {
    const { catalog } = this.#environment
    const isNews = ({ topic, partition }: TopicPartition): boolean =>
      partition >= catalog.partitionCount(topic)
    while (assignment.partitions.some(isNews) && !this.#isStopping) {
      try {
        if (await this.#environment.refreshTopics()) continue
      } catch (error) {
        const failure = coded(error, 'look for new partitions')
        if (failure.behaviour !== 'retry') throw failure
        this.#log.warn({ code: failure.code }, failure.message)
      }
      await this.#clock.sleep(idleMs)
    }
    const isBehind = Object.entries(planned).some(([topic, count]) => count < catalog.partitionCount(topic))
    if (isBehind) this.#askForPlan('the plan lacks partitions')
  }

  #assertAccepted(groupFingerprint: Fingerprint | undefined): void {
    if (groupFingerprint === undefined) return
    assertSameFingerprint(groupFingerprint, this.#environment.fingerprint, 'the running group has')
  }

  /** Throws STALLED if the loop, or something it waits for, has made no progress for so long. */
  assertProgress(maxStallMs: number): void {
    if (this.#isJoining) return
    const sinceTurn = this.#clock.monotonic() - this.#lookedAroundAt
    const operation = this.#tasks.longestOperation()
    const stalled =
      sinceTurn > maxStallMs
        ? `The loop has not turned for ${Math.round(sinceTurn)} ms.`
        : operation !== null && operation.durationMs > maxStallMs
          ? `The operation ${operation.name} of task ${operation.task} has been under way for ${Math.round(operation.durationMs)} ms.`
          : null
    if (stalled !== null)
      throw new CodedError('STALLED', { operation: 'watch the stream thread', detail: stalled })
  }

  /** Intake has ended; the group is left before the stores are closed, so that others can take over at once. */
  async #end(manner: 'clean' | 'dirty', leaveGroup: boolean): Promise<void> {
    this.#tasks.cancelAll()
    await this.#member.close(leaveGroup)
    await this.#tasks.closeAll(manner)
    await this.#standbys.closeAll()
    this.#environment.transactions.close()
    await this.#inputs.close()
  }
}

/** Whether nobody can have been in the place of a member between two of its joins. */
function isNextOf(before: GroupIdentity, identity: GroupIdentity): boolean {
  const generations = identity.generationId - before.generationId
  return identity.memberId === before.memberId && (generations === 0 || generations === 1)
}
