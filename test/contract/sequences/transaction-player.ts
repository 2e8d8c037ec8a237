/** Coordinators, producers and their transactions. */
import { kafkaError as k } from '../../../src/kafka/wire/wire.ts'
import { batchOf } from './batches.ts'
import type { Command, ProducerRole } from './commands.ts'
import { type Conversation, each, one, timeoutMs } from './conversation.ts'
import type { Identity } from './group-player.ts'
import type { Names } from './names.ts'
import type { Release } from './release.ts'

interface Producer {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

interface Sent {
  readonly baseSequence: number
  readonly records: number
  readonly bytes: number
}

/** What one epoch of a producer has written into a partition. */
interface Written {
  next: number
  first: Sent | null
  last: Sent | null
}

export class TransactionPlayer {
  readonly #conversation: Conversation
  readonly #names: Names
  readonly #release: Release
  /** What each transactional id was given, the newest last. */
  readonly #issued: Producer[][] = [[], [], []]
  readonly #written = new Map<string, Written>()
  /** Transactional ids whose newest epoch has committed offsets in a transaction that is not over. */
  readonly #withOffsets = new Set<string>()

  constructor(conversation: Conversation, names: Names, release: Release) {
    this.#conversation = conversation
    this.#names = names
    this.#release = release
  }

  async findCoordinator(keyType: 0 | 1): Promise<void> {
    const key = keyType === 0 ? this.#names.groupId : this.#names.transactionalId(0)
    const { errorCode, nodeId } = await this.#conversation.settled('FindCoordinator', { key, keyType }, one)
    this.#conversation.answered('FindCoordinator', () => ({
      errorCode,
      isThisOne: nodeId === this.#conversation.nodeId,
    }))
  }

  async initProducerId(id: number, transactionTimeoutMs: number): Promise<void> {
    const transactionalId = this.#names.transactionalId(id)
    const request = { transactionalId, transactionTimeoutMs }
    const { errorCode, producerId, producerEpoch } = await this.#conversation.settled(
      'InitProducerId',
      request,
      one,
    )
    const issued = this.#issued[id] as Producer[]
    const isSameId = issued.length > 0 && issued.at(-1)?.producerId === producerId
    if (errorCode === k.NONE) {
      issued.push({ transactionalId, producerId, producerEpoch })
      this.#withOffsets.delete(transactionalId)
    }
    this.#conversation.answered('InitProducerId', () => ({ errorCode, producerEpoch, isSameId }))
  }

  async addPartitions(by: ProducerRole, partitions: readonly number[]): Promise<void> {
    const request = { ...this.#producer(by), topics: this.#names.byTopic(partitions) }
    const answer = await this.#conversation.settled('AddPartitionsToTxn', request, each)
    this.#conversation.answered('AddPartitionsToTxn', () => this.#names.describePartitions(answer.partitions))
  }

  async addOffsets(by: ProducerRole): Promise<void> {
    const request = { ...this.#producer(by), groupId: this.#names.groupId }
    const { errorCode } = await this.#conversation.settled('AddOffsetsToTxn', request, one)
    this.#conversation.answered('AddOffsetsToTxn', () => ({ errorCode }))
  }

  async commitOffsets(
    { by, partitions, offset }: Extract<Command, { op: 'TxnOffsetCommit' }>,
    identity: Identity,
  ): Promise<void> {
    const producer = this.#producer(by)
    const { transactionalId } = producer
    const isFenced = producer.producerEpoch < (this.#issued[by.id]?.at(-1)?.producerEpoch ?? 0)
    const isLate = isFenced && this.#withOffsets.has(transactionalId)
    if (isLate && !this.#release.keepsOffsetsFromLateCommits) return
    const request = {
      ...producer,
      groupId: this.#names.groupId,
      ...identity,
      partitions: partitions.map((role) => ({
        ...this.#names.partition(role),
        offset,
        metadata: `at ${offset}`,
      })),
    }
    const answer = await this.#conversation.settled('TxnOffsetCommit', request, each)
    if (each(answer).includes(k.NONE)) this.#withOffsets.add(transactionalId)
    this.#conversation.answered('TxnOffsetCommit', () => this.#names.describePartitions(answer.partitions))
  }

  async produce(command: Extract<Command, { op: 'Produce' }>): Promise<void> {
    const { by, adds, partitions, records, damage } = command
    const producer = by === null ? null : this.#producer(by)
    if (by !== null && adds) await this.addPartitions(by, partitions)
    const bytes = damage === 'too large' ? 1_100_000 : command.bytes
    const sent = await Promise.all(
      partitions.map(async (role) => {
        const key = `${producer?.producerId}/${producer?.producerEpoch}/${role}`
        const written = this.#written.get(key) ?? { next: 0, first: null, last: null }
        this.#written.set(key, written)
        const wanted = { records, bytes, ...sequenced(written, command) }
        const { producerId = -1n, producerEpoch = -1 } = producer ?? {}
        const baseSequence = producer === null ? -1 : wanted.baseSequence
        const isDamaged = damage === 'checksum'
        const batch = await batchOf({ ...wanted, producerId, producerEpoch, baseSequence, isDamaged })
        return { role, written, wanted, batch }
      }),
    )
    const answer = await this.#conversation.send('Produce', {
      transactionalId: producer?.transactionalId ?? null,
      timeoutMs,
      partitions: sent.map(({ role, batch }) => ({ ...this.#names.partition(role), batch })),
    })
    for (const { role, written, wanted } of sent) {
      const { topic, partition } = this.#names.partition(role)
      const found = answer.partitions.find((one) => one.topic === topic && one.partition === partition)
      const next = wanted.baseSequence + wanted.records
      if (found?.errorCode !== k.NONE || next <= written.next) continue
      written.next = next
      written.first ??= wanted
      written.last = wanted
    }
    this.#conversation.answered('Produce', () =>
      this.#names.describePartitions(answer.partitions, ({ errorCode, baseOffset, logStartOffset }) => {
        const isTold = this.#release.asksAboutOtherEpochs || errorCode !== k.INVALID_PRODUCER_EPOCH
        return { baseOffset, logStartOffset: isTold ? logStartOffset : 'any' }
      }),
    )
  }

  async endTransaction(by: ProducerRole, commit: boolean): Promise<void> {
    const request = { ...this.#producer(by), commit }
    const { errorCode } = await this.#conversation.settled('EndTxn', request, one)
    this.#conversation.answered('EndTxn', () => ({ errorCode }))
    if (errorCode === k.NONE) this.#withOffsets.delete(request.transactionalId)
    // Until the markers are written, the same request again meets CONCURRENT_TRANSACTIONS; then it has no effect.
    if (errorCode === k.NONE) await this.#conversation.settled('EndTxn', request, one)
  }

  #producer({ id, age }: ProducerRole): Producer {
    const transactionalId = this.#names.transactionalId(id)
    const issued = this.#issued[id] ?? []
    const newest = issued.at(-1)
    // One that nobody has ever been given.
    if (newest === undefined) return { transactionalId, producerId: 999_999_999n, producerEpoch: 0 }
    if (age < 0 && this.#release.asksAboutOtherEpochs)
      return { ...newest, producerEpoch: newest.producerEpoch - age }
    return issued.at(-1 - Math.max(0, age)) ?? newest
  }

  labelOfProducer(producerId: bigint): string {
    const id = this.#issued.findIndex((issued) =>
      issued.some((producer) => producer.producerId === producerId),
    )
    return producerId < 0n ? 'nobody' : `id-${id}`
  }
}

/** The sequence number of a batch; one that is sent again is the same as before in all. */
function sequenced(written: Written, command: Extract<Command, { op: 'Produce' }>) {
  const { sequence } = command
  if (sequence === 'again' && written.last !== null) return written.last
  if (sequence === 'first' && written.first !== null) return written.first
  if (sequence === 'gap') return { baseSequence: written.next + 5 }
  return { baseSequence: sequence === 'zero' ? 0 : written.next }
}
