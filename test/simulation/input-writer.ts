/**
 * Whoever writes the input: two producers, whose transactions overlap, and end by commit or abort; now and then a batch without a
 * transaction. It talks to the broker directly, so nothing of it gets lost.
 */
import { RecordBatchBuilder } from '../../src/kafka/records/record-batch-builder.ts'
import { loginGenerator } from '../../src/login-stats/generator/login-generator.ts'
import type { SimulatedBroker } from './broker/simulated-broker.ts'
import type { EventQueue } from './event-queue.ts'
import type { ForeignRecord } from './foreign-transactions.ts'
import type { Plan } from './plan.ts'
import type { SeededRandom } from './random.ts'
import { epochMs } from './simulated-process.ts'

interface Writer {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly sequences: Map<number, number>
  isOpen: boolean
}

const transactionTimeoutMs = 60_000
const maxBytes = 1_000_000

export class InputWriter {
  /** Batches still to be written. */
  left: number
  readonly #queue: EventQueue
  readonly #random: SeededRandom
  readonly #broker: SimulatedBroker
  readonly #topic: string
  readonly #plan: Plan
  readonly #logins: ReturnType<typeof loginGenerator>
  #writers: Writer[] = []

  constructor(parts: {
    queue: EventQueue
    random: SeededRandom
    broker: SimulatedBroker
    topic: string
    plan: Plan
  }) {
    this.#queue = parts.queue
    this.#random = parts.random
    this.#broker = parts.broker
    this.#topic = parts.topic
    this.#plan = parts.plan
    this.left = parts.plan.batches
    this.#logins = loginGenerator({
      seed: parts.random.below(2 ** 31),
      invalidShare: parts.plan.invalidShare,
      lateShare: 0.05,
      maxLatenessMs: 120_000,
      userCount: 10,
      clock: () => Math.floor(epochMs + this.#queue.now),
    })
  }

  start(): void {
    this.#writers = ['input-a', 'input-b'].map((transactionalId) => {
      const { producerId, producerEpoch } = this.#broker.transactions.initProducerId(
        transactionalId,
        transactionTimeoutMs,
      )
      return { transactionalId, producerId, producerEpoch, sequences: new Map(), isOpen: false }
    })
    this.#next()
  }

  /** One more login, for others to write. */
  login(): ForeignRecord {
    const { value, timestampMs } = this.#logins.next().value
    return { key: null, value, timestampMs }
  }

  /** Ends the transactions that are open. */
  finish(): void {
    for (const writer of this.#writers) if (writer.isOpen) this.#end(writer, true)
  }

  #next(): void {
    if (this.left === 0) {
      this.finish()
      return
    }
    const meanMs = this.#plan.safetyMs / this.#plan.batches
    this.#queue.after(this.#random.between(0, 2 * meanMs), () => {
      this.left--
      void this.#write().then(() => this.#next())
    })
  }

  async #write(): Promise<void> {
    const random = this.#random
    const partitions = this.#broker.topics.partitionsOf(this.#topic)
    const { partition, log } = random.pick(partitions)
    const writer = random.chance(0.1) ? null : random.pick(this.#writers)
    const builder = new RecordBatchBuilder({ compression: 'none' })
    const count = 1 + random.below(2 * this.#plan.recordsPerBatch)
    for (let left = count; left > 0; left--) {
      const { value, timestampMs } = this.#logins.next().value
      builder.append(null, value, timestampMs)
    }
    const limits = { maxBytes, now: Math.floor(epochMs + this.#queue.now) }
    if (writer === null) {
      const plain = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false }
      for (const { batch } of await builder.build(plain)) log.append(batch, limits)
      return
    }
    const name = `${this.#topic}/${partition}`
    const added = this.#broker.transactions.add(
      writer,
      new Map([
        [name, (end) => log.writeMarker({ ...end, timestamp: Math.floor(epochMs + this.#queue.now) })],
      ]),
    )
    // Its last transaction is still being finished: then this batch is left out.
    if (added !== 0) return
    writer.isOpen = true
    const baseSequence = writer.sequences.get(partition) ?? 0
    writer.sequences.set(partition, baseSequence + count)
    const { producerId, producerEpoch } = writer
    for (const { batch } of await builder.build({
      producerId,
      producerEpoch,
      baseSequence,
      transactional: true,
    }))
      log.append(batch, limits)
    if (random.chance(0.6)) this.#end(writer, !random.chance(this.#plan.abortShare))
  }

  #end(writer: Writer, commit: boolean): void {
    writer.isOpen = false
    this.#broker.transactions.end(writer, commit)
  }
}
