/**
 * A summary record each interval, by exactly one instance at a time:
 *
 *   1. The instance that runs the task of the total's partition is the one.
 *   2. It has the transactional id `<APP_ID>-insights`: whoever takes it fences the instance before, so that one that is not the owner
 *      any more, and does not know it yet, can write nothing.
 *   3. Each summary is a transaction of its own; one that fails is left out, and the next interval begins anew.
 */
import { partitionFor } from '../../bytes/murmur2.ts'
import { coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaClient, TransactionalProducer } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import type { TaskStatus } from '../../streams/index.ts'
import { TOTAL_KEY } from '../domain/dimensions.ts'
import type { Insights } from '../http/api-schemas.ts'

export interface InsightsPublisherOptions {
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly log: Log
  readonly appId: string
  readonly topic: string
  readonly outputTopic: string
  readonly replicationFactor: number
  readonly minInsyncReplicas: number | null
  readonly intervalMs: number
  status(): readonly TaskStatus[]
  /** Waits for the table. */
  insights(): Promise<Insights>
  /** Keeps the table followed until the returned function is called. */
  hold(): () => void
  published(): void
}

/** The subtopology that counts. */
const countingSubtopology = 1
const transactionTimeoutMs = 10_000
/** Nobody has the task for long before the first look. */
const firstLookMs = 1000

export class InsightsPublisher {
  readonly #options: InsightsPublisherOptions
  #producer: TransactionalProducer | null = null
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
    this.#cancel = this.#options.clock.setTimer(delayMs, () => {
      this.#round = this.#publish()
    })
  }

  async #publish(): Promise<void> {
    const { clock, log, intervalMs } = this.#options
    const startedAt = clock.monotonic()
    let pauseMs = 0
    try {
      if (await this.#isOwner()) await this.#publishOnce()
      else this.#stepDown()
    } catch (cause) {
      const failure = coded(cause, 'publish insights')
      // Another instance has taken the id, or Kafka cannot be asked now. The counts do not depend on it.
      log.warn({ code: failure.code }, failure.message)
      this.#producer?.close()
      this.#producer = null
      // Another instance takes itself for the owner: whoever is wrong learns of it before the next but one.
      if (failure.code === 'PRODUCER_FENCED') pauseMs = intervalMs
    }
    this.#next(pauseMs + Math.max(0, intervalMs - (clock.monotonic() - startedAt)))
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

  async #publishOnce(): Promise<void> {
    const { clock, log, topic, insights, hold, published } = this.#options
    this.#release ??= hold()
    const summary = await insights()
    const producer = this.#producer ?? (await this.#takeId())
    const records = producer.appender()
    records.append(null, Buffer.from(JSON.stringify(summary)), clock.now())
    await producer.send([{ partition: { topic, partition: 0 }, records }])
    await producer.commit()
    published()
    log.info(inShort(summary), 'Insights')
  }

  /** Fences the instance that has published before. */
  async #takeId(): Promise<TransactionalProducer> {
    const { kafka, appId, topic, replicationFactor, minInsyncReplicas } = this.#options
    const config = minInsyncReplicas === null ? {} : { 'min.insync.replicas': String(minInsyncReplicas) }
    const topics = await kafka.admin.topics([topic])
    if (!topics.has(topic)) {
      await kafka.admin.createTopics([{ name: topic, partitionCount: 1, replicationFactor, config }])
    }
    const producer = kafka.producer({ transactionalId: `${appId}-insights`, transactionTimeoutMs })
    await producer.init()
    this.#producer = producer
    return producer
  }

  #stepDown(): void {
    this.#producer?.close()
    this.#producer = null
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
