/** A table whose rows the test writes itself, committed like those of a processor. */
import type { KeyedRow } from '../../src/login-stats/table/index.ts'
import type { TransactionalProducer } from '../../src/ports/kafka.ts'
import type { Application } from './application.ts'
import { cleanUpLater } from './clean-ups.ts'

const rowsOfTransaction = 5000

export class WrittenTable {
  readonly #application: Application
  #producer: TransactionalProducer | null = null

  constructor(application: Application) {
    this.#application = application
  }

  /** Makes the topic, with one partition. */
  async create(): Promise<void> {
    const { admin } = this.#application.kafka
    const config = { 'cleanup.policy': 'compact' }
    const name = this.#application.config.outputTopic
    await admin.createTopics([{ name, partitionCount: 1, replicationFactor: 1, config }])
    this.#producer = null
  }

  async delete(): Promise<void> {
    await this.#application.kafka.admin.deleteTopics([this.#application.config.outputTopic])
  }

  /** Committed when it resolves. */
  async write(rows: readonly KeyedRow[]): Promise<void> {
    for (let at = 0; at < rows.length; at += rowsOfTransaction) {
      await this.#commit(
        rows.slice(at, at + rowsOfTransaction).map(({ key, ...row }) => [key, JSON.stringify(row)]),
      )
    }
  }

  async remove(key: string): Promise<void> {
    await this.#commit([[key, null]])
  }

  async #commit(records: readonly (readonly [key: string, value: string | null])[]): Promise<void> {
    const producer = await this.#open()
    const appender = producer.appender()
    for (const [key, value] of records)
      appender.append(Buffer.from(key), value === null ? null : Buffer.from(value), 0)
    const partition = { topic: this.#application.config.outputTopic, partition: 0 }
    await producer.send([{ partition, records: appender }])
    await producer.commit()
  }

  async #open(): Promise<TransactionalProducer> {
    if (this.#producer !== null) return this.#producer
    const { kafka, config } = this.#application
    const transactionalId = `${config.outputTopic}-writer`
    const producer = kafka.producer({ transactionalId, transactionTimeoutMs: 30_000 })
    await producer.init()
    cleanUpLater(() => producer.close())
    this.#producer = producer
    return producer
  }
}

const time = '2023-09-12T01:10:04.000Z'

/** A row as a processor would write it. */
export function rowOf(key: string, count: number): KeyedRow {
  const [dimension = '', value = key] = key.split(':')
  const seen = { first_seen: time, last_seen: time, as_of: time }
  return { key, dimension, value, count, rolling: { '5m': count % 7 }, ...seen }
}
