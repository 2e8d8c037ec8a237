/**
 * Transactions of producers that have nothing to do with the application, and are slow: they write into a partition, and then leave
 * their transaction open, until it times out, or they come back. What they write into a changelog is never committed, and
 * would spoil it; what they write into the input may be.
 */
import { RecordBatchBuilder } from '../../src/kafka/records/record-batch-builder.ts'
import type { SimulatedBroker } from './broker/simulated-broker.ts'
import type { Partition } from './broker/topics.ts'
import type { EventQueue } from './event-queue.ts'
import { epochMs } from './simulated-process.ts'

interface OpenTransaction {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

export interface ForeignRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestampMs: number
}

const maxBytes = 1_000_000
const timeoutMs = 600_000

export class ForeignTransactions {
  readonly #queue: EventQueue
  readonly #broker: SimulatedBroker
  readonly #open = new Set<OpenTransaction>()
  #count = 0

  constructor(queue: EventQueue, broker: SimulatedBroker) {
    this.#queue = queue
    this.#broker = broker
  }

  /** Begins one, which ends after `ms` unless `endAll` comes first. */
  async begin(
    { topic, partition, log }: Partition,
    records: readonly ForeignRecord[],
    end: { ms: number; commit: boolean },
  ) {
    const { transactions } = this.#broker
    const transactionalId = `foreign-${this.#count++}`
    const { producerId, producerEpoch } = transactions.initProducerId(transactionalId, timeoutMs)
    const transaction = { transactionalId, producerId, producerEpoch }
    const now = Math.floor(epochMs + this.#queue.now)
    const marked = (marker: { producerId: bigint; producerEpoch: number; commit: boolean }): void =>
      log.writeMarker({ ...marker, timestamp: Math.floor(epochMs + this.#queue.now) })
    transactions.add(transaction, new Map([[`${topic}/${partition}`, marked]]))
    this.#open.add(transaction)
    const builder = new RecordBatchBuilder({ compression: 'none' })
    for (const { key, value, timestampMs } of records) builder.append(key, value, timestampMs)
    const numbered = { producerId, producerEpoch, baseSequence: 0, transactional: true }
    for (const { batch } of await builder.build(numbered)) log.append(batch, { maxBytes, now })
    this.#queue.afterQuietly(end.ms, () => this.#end(transaction, end.commit))
  }

  endAll(): void {
    for (const transaction of this.#open) this.#end(transaction, false)
  }

  #end(transaction: OpenTransaction, commit: boolean): void {
    if (this.#open.delete(transaction)) this.#broker.transactions.end(transaction, commit)
  }
}
