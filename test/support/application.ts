import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectKafka } from '../../src/kafka/index.ts'
import { type Config, kafkaSecurity, loadConfig } from '../../src/login-stats/config/index.ts'
import { type GeneratedLogin, loginGenerator } from '../../src/login-stats/generator/login-generator.ts'
import type { Header, KafkaClient } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'
import { createLogger } from '../../src/system/logger.ts'
import { systemRandom } from '../../src/system/random.ts'
import { type KafkaReader, openReader, type VerifyReport, verify } from '../../src/verify/index.ts'
import { bootstrapServers, uniquePrefix } from './broker.ts'
import { Instance } from './instance.ts'
import { defaultScope } from './transaction-scope.ts'
import { WrongCounts } from './wrong-counts.ts'

/** Records of one producing transaction. */
const defaultBatch = 5000
/** A running processor always has some transaction open; one that was open when first looked at must end in this time. */
const transactionEndsMs = 15_000

/**
 * One application of its own on the shared broker: topics and group with a unique prefix, a state directory, and the
 * oracle of EXACTLY-ONCE section 5.
 */
export class Application {
  readonly environment: Readonly<Record<string, string>>
  readonly config: Config
  readonly kafka: KafkaClient
  readonly stateDir: string

  /** `settings` go before those of the application, KAFKA_BROKERS included. */
  constructor(name: string, settings: Readonly<Record<string, string>> = {}) {
    const prefix = uniquePrefix(name)
    this.stateDir = mkdtempSync(join(tmpdir(), `${prefix}-`))
    this.environment = {
      KAFKA_BROKERS: bootstrapServers(),
      APP_ID: prefix,
      INPUT_TOPIC: `${prefix}-user-login`,
      OUTPUT_TOPIC: `${prefix}-login-stats`,
      DLQ_TOPIC: `${prefix}-user-login-dlq`,
      STATE_DIR: this.stateDir,
      // Tests of several threads say so.
      STREAM_THREADS: '1',
      TRANSACTION_SCOPE: defaultScope(),
      // What stands around the processor is tested where tests say so.
      HTTP_PORT: '',
      INSIGHTS_TOPIC: '',
      ...settings,
    }
    this.config = loadConfig(this.environment)
    this.kafka = connectKafka({
      bootstrapServers: this.config.brokers,
      clientId: `${prefix}-test`,
      ...kafkaSecurity(this.config),
      clock: systemClock,
      random: systemRandom,
      log: createLogger({ level: 'silent' }),
      compression: 'none',
    })
  }

  async createInput(partitionCount: number): Promise<void> {
    const { inputTopic } = this.config
    await this.kafka.admin.createTopics([
      { name: inputTopic, partitionCount, replicationFactor: -1, config: {} },
    ])
  }

  /** A processor of this application in a process of its own. */
  start(settings: Readonly<Record<string, string>> = {}): Instance {
    return new Instance({ ...this.environment, ...settings })
  }

  /** Writes values to the input, round robin in runs, one transaction for each few thousand. */
  async produce(
    values: Iterable<{
      readonly value: Buffer | null
      readonly key?: Buffer | null
      readonly headers?: readonly Header[]
      readonly timestamp: number
    }>,
    options: { pauseMs?: number; batch?: number } = {},
  ): Promise<void> {
    const { inputTopic } = this.config
    const topics = await this.kafka.admin.topics([inputTopic])
    const partitionCount = topics.get(inputTopic)?.partitionCount ?? 1
    const producer = this.kafka.producer({
      transactionalId: `${inputTopic}-producer-${systemRandom.id()}`,
      transactionTimeoutMs: 30_000,
    })
    await producer.init()
    let batch: typeof values extends Iterable<infer Value> ? Value[] : never = []
    const send = async (): Promise<void> => {
      const appenders = Array.from({ length: partitionCount }, () => producer.appender())
      for (const [index, { value, key = null, timestamp, headers }] of batch.entries()) {
        appenders[Math.floor(index / 10) % partitionCount]?.append(key, value, timestamp, headers)
      }
      const outgoing = appenders
        .map((records, partition) => ({ partition: { topic: inputTopic, partition }, records }))
        .filter(({ records }) => records.recordCount > 0)
      await producer.send(outgoing)
      await producer.commit()
      batch = []
      if (options.pauseMs !== undefined) await systemClock.sleep(options.pauseMs)
    }
    for (const value of values) {
      batch.push(value)
      if (batch.length === (options.batch ?? defaultBatch)) await send()
    }
    if (batch.length > 0) await send()
    producer.close()
  }

  /** Writes `count` generated logins. Returns them. */
  async produceLogins(
    count: number,
    options: { seed?: number; invalidShare?: number; pauseMs?: number; batch?: number } = {},
  ): Promise<GeneratedLogin[]> {
    const { seed = 1, invalidShare = 0.02 } = options
    const logins = take(loginGenerator({ seed, invalidShare, clock: () => systemClock.now() }), count)
    await this.produce(
      logins.map(({ value, timestampMs }) => ({ value, timestamp: timestampMs })),
      options,
    )
    return logins
  }

  /** One independent recount. */
  verify(): Promise<VerifyReport> {
    const { appId, inputTopic, outputTopic, dlqTopic, rollingWindows, rollingPanes, maxClockSkewMs } =
      this.config
    return verify({
      connection: { brokers: this.config.brokers },
      appId,
      inputTopic,
      outputTopic,
      dlqTopic,
      rules: {
        dimensions: this.config.dimensions,
        windows: rollingWindows,
        panes: rollingPanes,
        maxClockSkewMs,
      },
      clock: systemClock,
    })
  }

  /**
   * Waits until everything written so far is counted, and the rows show the final stream time. Rejects after `timeoutMs`, with what is
   * still open.
   */
  async counted(timeoutMs = 90_000): Promise<VerifyReport> {
    const deadline = systemClock.monotonic() + timeoutMs
    for (;;) {
      const open = await this.#notCommitted()
      if (open.length === 0) {
        const report = await this.verify()
        if (report.caughtUp && report.staleRows === 0) return report
        if (systemClock.monotonic() > deadline) {
          const what = `not counted in time: ${JSON.stringify(report, null, 1).slice(0, 3000)}`
          // All of the input is committed: what is not counted now is lost.
          if (report.differenceCount > 0 || !report.caughtUp) {
            throw new WrongCounts(what, Math.max(1, report.differenceCount))
          }
          throw new Error(what)
        }
      }
      if (systemClock.monotonic() > deadline) throw new Error(`not committed in time: ${open.join('; ')}`)
      await systemClock.sleep(200)
    }
  }

  /** What the group has not committed to its end. */
  async #notCommitted(): Promise<string[]> {
    const { appId, inputTopic } = this.config
    const reader = await openReader({ brokers: this.config.brokers }, systemClock)
    try {
      const open: string[] = []
      for (const topic of [inputTopic, `${appId}-counts-repartition`]) {
        if ((await reader.partitionCount(topic)) === null) return [`${topic} is not there`]
        // Not the last stable offset: after the death of a broker, a transaction that was promised as committed gets its markers late.
        const ends = await reader.offsets(topic, 'highWatermark')
        const committed = await reader.committedOffsets(appId, topic)
        for (const [partition, end] of ends.entries()) {
          const offset = committed[partition] ?? -1
          if (end > 0 && offset < end) open.push(`${topic}/${partition} up to ${offset} of ${end}`)
        }
      }
      return open
    } finally {
      await reader.close()
    }
  }

  /** Topics of the application on which a transaction that is open now does not end. */
  async openTransactions(): Promise<string[]> {
    const { appId, inputTopic, outputTopic, dlqTopic } = this.config
    const topics = [inputTopic, outputTopic, `${appId}-counts-repartition`, `${appId}-counts-changelog`]
    if (dlqTopic !== null) topics.push(dlqTopic)
    const reader = await openReader({ brokers: this.config.brokers }, systemClock)
    try {
      const open: string[] = []
      for (const topic of topics) if (!(await hasSettled(reader, topic))) open.push(topic)
      return open
    } finally {
      await reader.close()
    }
  }

  async close(): Promise<void> {
    await this.kafka.close()
    rmSync(this.stateDir, { recursive: true, force: true })
  }
}

/** Whether the last stable offsets of a topic reach what are its ends now. */
async function hasSettled(reader: KafkaReader, topic: string): Promise<boolean> {
  const ends = await reader.offsets(topic, 'highWatermark')
  const deadline = systemClock.monotonic() + transactionEndsMs
  while (systemClock.monotonic() < deadline) {
    const stable = await reader.offsets(topic, 'lastStable')
    if (ends.every((end, partition) => (stable[partition] ?? 0) >= end)) return true
    await systemClock.sleep(50)
  }
  return false
}

export function take<T>(values: Iterator<T>, count: number): T[] {
  return Array.from({ length: count }, () => values.next().value as T)
}
