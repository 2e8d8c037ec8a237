/**
 * A summary record each interval, by exactly one instance at a time:
 *
 *   1. The instance that runs the task of the total's partition is the one.
 *   2. It has the transactional id `<APP_ID>-insights`: whoever takes it fences the instance before, so that one that is not the owner
 *      any more, and does not know it yet, can write nothing.
 *   3. It takes the id only where the group, asked just before, says that it has the task: a process that stood still for longer than its
 *      session would fence the new owner otherwise.
 *   4. What it tells is no older than its having the id: so nobody before it knew more.
 *   5. A process that stood still gives the id up and begins with 3 again: what it knows of the group and of the table is old.
 *   6. Each summary is a transaction of its own; one that fails is left out. The next comes an interval after it has ended: however long
 *      that took, an instance never publishes two within a moment. Who has had nothing to publish looks again sooner: it may get the task.
 */
import { partitionFor } from '../../bytes/murmur2.ts'
import { coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaClient, TransactionalProducer } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { newTopic, type TaskStatus, type Topology, viewMembers } from '../../streams/index.ts'
import { TOTAL_KEY } from '../domain/dimensions.ts'
import type { Insights } from '../http/api-schemas.ts'

export interface InsightsPublisherOptions {
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly log: Log
  /** Of this application. */
  readonly topology: Topology
  /** This instance. */
  readonly instance: string
  readonly topic: string
  readonly outputTopic: string
  readonly replicationFactor: number
  readonly minInsyncReplicas: number | null
  readonly intervalMs: number
  status(): readonly TaskStatus[]
  /** Waits for the table. */
  insights(): Promise<Insights>
  /** A moment on the monotonic clock: the table is as of then. Null where that is not known. */
  tableCurrentAt(): Promise<number | null>
  /** Keeps the table followed until the returned function is called. */
  hold(): () => void
  published(): void
}

/** The subtopology that counts. */
const countingSubtopology = 1
const transactionTimeoutMs = 10_000
/** Nobody has the task for long before the first look. */
const firstLookMs = 1000
const nextLookMs = 5000
/** Who comes so late, or waits so long for an answer, may have stood still. Shorter than sessions usually are. */
const stallMs = 3000
/** How long a summary is waited for that is young enough. */
const freshWithinMs = 5000
const lookAgainMs = 200

export class InsightsPublisher {
  readonly #options: InsightsPublisherOptions
  #producer: TransactionalProducer | null = null
  /** When it had the transactional id, on the monotonic clock. */
  #takenAt = 0
  #release: (() => void) | null = null
  #totalsTask: string | null = null
  #isClosed = false
  #cancel = (): void => undefined
  #round: Promise<void> = Promise.resolve()

  constructor(options: InsightsPublisherOptions) {
    this.#options = options
  }

  start(): void {
    this.#next(Math.min(firstLookMs, this.#options.intervalMs))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#round
    this.#stepDown()
  }

  #next(delayMs: number): void {
    if (this.#isClosed) return
    const { clock } = this.#options
    const dueAt = clock.monotonic() + delayMs
    this.#cancel = clock.setTimer(delayMs, () => {
      if (this.#stoodStill(dueAt)) this.#giveIdUp()
      this.#round = this.#publish()
    })
  }

  /** What was due then has come now. */
  #stoodStill(dueAt: number): boolean {
    return this.#options.clock.monotonic() - dueAt > stallMs
  }

  async #publish(): Promise<void> {
    const { log, intervalMs } = this.#options
    let delayMs = Math.min(nextLookMs, intervalMs)
    try {
      if (!(await this.#isOwner())) this.#stepDown()
      else if (await this.#publishOnce()) delayMs = intervalMs
    } catch (cause) {
      const failure = coded(cause, 'publish insights')
      // Another instance has taken the id, or Kafka cannot be asked now. The counts do not depend on it. When the process ends, the client is
      // closed under what is under way.
      if (!this.#isClosed) log.warn({ code: failure.code }, failure.message)
      this.#giveIdUp()
      // Another instance takes itself for the owner: whoever is wrong learns of it before the next but one.
      delayMs = failure.code === 'PRODUCER_FENCED' ? 2 * intervalMs : intervalMs
    }
    this.#next(delayMs)
  }

  async #isOwner(): Promise<boolean> {
    const { kafka, outputTopic, status } = this.#options
    if (this.#totalsTask === null) {
      const found = (await kafka.admin.topics([outputTopic])).get(outputTopic)
      if (found === undefined) return false
      const partition = partitionFor(Buffer.from(TOTAL_KEY), found.partitionCount)
      this.#totalsTask = `${countingSubtopology}_${partition}`
    }
    return status().some(({ task, state }) => task === this.#totalsTask && state === 'running')
  }

  /** False where it is not to publish now. */
  async #publishOnce(): Promise<boolean> {
    const { clock, log, topic, insights, hold, published } = this.#options
    this.#release ??= hold()
    const producer = this.#producer ?? (await this.#takeId())
    if (producer === null || !(await this.#isYoung())) return false
    const summary = await insights()
    const records = producer.appender()
    records.append(null, Buffer.from(JSON.stringify(summary)), clock.now())
    await producer.send([{ partition: { topic, partition: 0 }, records }])
    await producer.commit()
    published()
    log.info(inShort(summary), 'Insights')
    return true
  }

  /** Fences the instance that has published before; null where the group does not say that this one is to. */
  async #takeId(): Promise<TransactionalProducer | null> {
    const { kafka, clock, topology, topic } = this.#options
    const topics = await kafka.admin.topics([topic])
    if (!topics.has(topic)) await kafka.admin.createTopics([newTopic(topic, 1, this.#options)])
    if (!(await this.#isConfirmed())) return null
    const transactionalId = `${topology.applicationId}-insights`
    const producer = kafka.producer({ transactionalId, transactionTimeoutMs })
    await producer.init()
    this.#takenAt = clock.monotonic()
    this.#producer = producer
    return producer
  }

  /** Waits until the table is as of when it had the id, or later; false where that takes too long. */
  async #isYoung(): Promise<boolean> {
    const { clock, log, tableCurrentAt } = this.#options
    const deadline = clock.monotonic() + freshWithinMs
    for (;;) {
      if (((await tableCurrentAt()) ?? Number.NEGATIVE_INFINITY) >= this.#takenAt) return true
      if (this.#isClosed) return false
      if (clock.monotonic() >= deadline) {
        log.info({ waitedMs: freshWithinMs }, 'No insights this time: the table is not read to its end yet')
        return false
      }
      const dueAt = clock.monotonic() + lookAgainMs
      await clock.sleep(lookAgainMs)
      if (this.#stoodStill(dueAt)) {
        this.#giveIdUp()
        return false
      }
    }
  }

  /** Whether the group says, now, that this instance has the total's task. While it rebalances it says nothing. */
  async #isConfirmed(): Promise<boolean> {
    const { kafka, clock, topology, instance } = this.#options
    const task = this.#totalsTask
    const askedAt = clock.monotonic()
    const description = await kafka.admin.describeGroup(topology.applicationId)
    if (task === null || this.#stoodStill(askedAt)) return false
    const members = description.state === 'Stable' ? viewMembers(topology, description) : []
    return members.some((member) => member.processId === instance && member.activeTasks.includes(task))
  }

  #giveIdUp(): void {
    this.#producer?.close()
    this.#producer = null
  }

  #stepDown(): void {
    this.#giveIdUp()
    this.#release?.()
    this.#release = null
  }
}

/** For who only reads logs. */
function inShort({ logins, rate_per_second, rolling, dimensions, dead_letters, as_of }: Insights): object {
  const share = ({ value, count, share: part }: { value: string; count: number; share: number }) =>
    `${value} ${count} (${(100 * part).toFixed(1)} %)`
  return {
    ...{
      logins,
      ratePerSecond: rate_per_second === null ? null : Math.round(rate_per_second),
      rolling,
      asOf: as_of,
    },
    dimensions: Object.fromEntries(
      Object.entries(dimensions).map(([name, { distinct, most_active: most, least_active: least }]) => [
        name,
        { distinct, most: most === null ? null : share(most), least: least === null ? null : share(least) },
      ]),
    ),
    deadLetters: dead_letters,
  }
}
