/**
 * A producer on the wire itself: it shares no code with the producer of the Kafka port but the format of batches, and lets a test do
 * what that one would not. One request at a time.
 */
import type { Compression } from '../../src/kafka/records/compression.ts'
import { RecordBatchBuilder } from '../../src/kafka/records/record-batch-builder.ts'
import { type Apis, kafkaError as k, type Wire } from '../../src/kafka/wire/wire.ts'
import type { TopicPartition } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'

export interface ProducedRecord {
  readonly key: Buffer | null
  readonly value: Buffer
}

/** A cluster of one broker, and one of the connections to it. */
export interface WireTarget {
  readonly wire: Wire
  readonly nodeId: number
  readonly lane: string
}

const timeoutMs = 30_000
/** They pass; the transaction before is still being ended, or a coordinator is still loading. */
const passing: readonly number[] = [
  k.UNKNOWN_TOPIC_OR_PARTITION,
  k.NOT_LEADER_OR_FOLLOWER,
  k.COORDINATOR_LOAD_IN_PROGRESS,
  k.COORDINATOR_NOT_AVAILABLE,
  k.NOT_COORDINATOR,
  k.NOT_ENOUGH_REPLICAS,
  k.CONCURRENT_TRANSACTIONS,
]

/** `transactional` with an id of that name; `idempotent` with sequence numbers alone; `plain` with nothing. */
export type ProducerKind = { readonly transactionalId: string } | 'idempotent' | 'plain'

export class WireProducer {
  readonly #target: WireTarget
  readonly #partition: TopicPartition
  readonly #transactionalId: string | null
  readonly #isPlain: boolean
  #producerId = -1n
  #producerEpoch = -1
  #sequence = 0
  #isInTransaction = false

  constructor(target: WireTarget, partition: TopicPartition, kind: ProducerKind) {
    this.#target = target
    this.#partition = partition
    this.#transactionalId = typeof kind === 'string' ? null : kind.transactionalId
    this.#isPlain = kind === 'plain'
  }

  /** A producer with an id fences the one before it, and aborts its transaction. */
  async init(transactionTimeoutMs = 60_000): Promise<void> {
    if (this.#isPlain) return
    const transactionalId = this.#transactionalId
    if (transactionalId !== null)
      await this.#send('FindCoordinator', { key: transactionalId, keyType: 1 }, (one) => one.errorCode)
    // Without a transactional id the protocol takes a null here, which our own producers never send.
    const request = { transactionalId: transactionalId as string, transactionTimeoutMs }
    const answer = await this.#send('InitProducerId', request, (one) => one.errorCode)
    this.#producerId = answer.producerId
    this.#producerEpoch = answer.producerEpoch
    this.#sequence = 0
    this.#isInTransaction = false
  }

  /** One batch, in the open transaction or a new one. */
  async send(records: readonly ProducedRecord[], compression: Compression): Promise<void> {
    const { topic, partition } = this.#partition
    const transactionalId = this.#transactionalId
    if (transactionalId !== null && !this.#isInTransaction) {
      const topics = [{ topic, partitions: [partition] }]
      await this.#send('AddPartitionsToTxn', { ...this.#identity(transactionalId), topics }, firstCode)
      this.#isInTransaction = true
    }
    const builder = new RecordBatchBuilder({ compression })
    for (const { key, value } of records) builder.append(key, value, systemClock.now())
    const [built] = await builder.build({
      producerId: this.#producerId,
      producerEpoch: this.#producerEpoch,
      baseSequence: this.#isPlain ? -1 : this.#sequence,
      transactional: transactionalId !== null,
    })
    if (built === undefined) throw new Error('a batch without records')
    const partitions = [{ topic, partition, batch: built.batch }]
    await this.#send('Produce', { transactionalId, timeoutMs, partitions }, firstCode)
    this.#sequence += records.length
  }

  /** The markers may come later. */
  async end(commit: boolean): Promise<void> {
    if (this.#transactionalId === null || !this.#isInTransaction) return
    const request = { ...this.#identity(this.#transactionalId), commit }
    await this.#send('EndTxn', request, (one) => one.errorCode)
    this.#isInTransaction = false
  }

  #identity(transactionalId: string) {
    return { transactionalId, producerId: this.#producerId, producerEpoch: this.#producerEpoch }
  }

  /** Asks until it is done; rejects with what does not pass. */
  async #send<A extends 'FindCoordinator' | 'InitProducerId' | 'AddPartitionsToTxn' | 'Produce' | 'EndTxn'>(
    api: A,
    request: Apis[A]['request'],
    codeOf: (answer: Apis[A]['answer']) => number,
  ): Promise<Apis[A]['answer']> {
    const { wire, nodeId, lane } = this.#target
    const deadline = systemClock.monotonic() + timeoutMs
    for (;;) {
      const answer = await wire.send(nodeId, api, request, { timeoutMs, lane })
      const code = codeOf(answer)
      if (code === k.NONE) return answer
      if (!passing.includes(code) || systemClock.monotonic() > deadline)
        throw new Error(`${api} was answered by ${code}`)
      await systemClock.sleep(1)
    }
  }
}

function firstCode({ partitions }: { partitions: { errorCode: number }[] }): number {
  return partitions[0]?.errorCode ?? 0
}
