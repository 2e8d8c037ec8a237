/**
 * A producer of one transactional id, one transaction at a time:
 *
 *   created --init--> ready --send, sendOffsets--> open --commit, abort--> ready
 *      any state --a failure, close--> dead
 *
 *   init         1. InitProducerId: a producer id with a new epoch; fences every older producer of the id
 *   send         2. AddPartitionsToTxn, for partitions that are new in this transaction
 *                3. Produce, to each leader
 *   sendOffsets  4. AddOffsetsToTxn, to the transaction's coordinator
 *                5. TxnOffsetCommit, to the group's coordinator
 *   commit       6. EndTxn
 *
 * An answer that says "not done" is followed by the same request again until the call's deadline. After anything less certain
 * the producer is dead, since a request that is still on its way must not meet another transaction of the same epoch, nor a
 * sequence number other records.
 */
import { CodedError, coded } from '../errors.ts'
import type {
  ConsumerOffset,
  GroupIdentity,
  Outgoing,
  RecordAppender,
  TopicPartition,
  TransactionalProducer,
} from '../ports/kafka.ts'
import { brokerError } from './broker-errors.ts'
import { type Coordinated, groupKey, transactionKey } from './cluster.ts'
import { byTopic, type PortContext, partitionKey } from './context.ts'
import { type BatchQueue, produceAll } from './producing.ts'
import type { Compression } from './records/compression.ts'
import { RecordBatchBuilder } from './records/record-batch-builder.ts'
import { retry } from './retry.ts'
import { type Apis, kafkaError } from './wire/wire.ts'

const initDeadlineMs = 60_000
/** How long a transaction may wait for the markers of the one before it. Its own time has not begun then. */
const beginDeadlineMs = 60_000
/** A process that stood still for so long during init may have lost its tasks, and must not fence their new owner. */
const initStallMs = 3000
/** Share of the transaction's time-out that one call may take. */
const callShare = 0.75

type State = 'created' | 'ready' | 'open' | 'dead'
type Operation = 'init' | 'send' | 'sendOffsets' | 'commit' | 'abort'

const allowedIn: Readonly<Record<Operation, readonly State[]>> = {
  init: ['created'],
  send: ['ready', 'open'],
  sendOffsets: ['ready', 'open'],
  commit: ['open'],
  abort: ['ready', 'open'],
}

export interface ProducerOptions {
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
  readonly compression: Compression
}

export class Producer implements TransactionalProducer {
  private readonly context: PortContext
  private readonly options: ProducerOptions
  private readonly lane: string
  private readonly coordinated: Coordinated
  private state: State = 'created'
  private running: Operation | null = null
  private death: CodedError | null = null
  private producerId = -1n
  private producerEpoch = -1
  /** Sequence number of the next record, by partition. */
  private readonly sequences = new Map<string, number>()
  /** Partitions and groups that the coordinator knows to be in the open transaction. */
  private readonly partitionsInTransaction = new Set<string>()
  private readonly groupsInTransaction = new Set<string>()

  constructor(context: PortContext, options: ProducerOptions) {
    this.context = context
    this.options = options
    // One lane per transactional id, so that tasks do not wait for one another's acknowledgements.
    this.lane = `produce-${options.transactionalId}`
    this.coordinated = transactionKey(options.transactionalId)
  }

  async init(): Promise<void> {
    await this.perform('init', initDeadlineMs, async (deadline) => {
      const { transactionalId, transactionTimeoutMs } = this.options
      const request = { transactionalId, transactionTimeoutMs }
      const answer = await retry(this.context, { deadline, stallMs: initStallMs }, async (remainingMs) => {
        const timeoutMs = Math.min(remainingMs, this.callMs())
        const initialized = await this.toCoordinator('InitProducerId', request, timeoutMs)
        this.refuse('InitProducerId', initialized.errorCode)
        return initialized
      })
      this.producerId = answer.producerId
      this.producerEpoch = answer.producerEpoch
      return 'ready'
    })
  }

  appender(maxBatchBytes?: number): RecordAppender {
    const { compression } = this.options
    return new RecordBatchBuilder(
      maxBatchBytes === undefined ? { compression } : { compression, maxBatchBytes },
    )
  }

  async send(outgoing: readonly Outgoing[]): Promise<number[]> {
    const endOffsets = outgoing.map(() => -1)
    await this.perform('send', this.callMs(), async (deadline) => {
      const queues = await this.encode(outgoing, endOffsets)
      if (queues.length === 0) return this.state
      const produceDeadline = await this.addPartitions(queues, deadline)
      const { transactionalId } = this.options
      const options = { transactionalId, lane: this.lane, deadline: produceDeadline }
      await produceAll(this.context, options, queues)
      return 'open'
    })
    return endOffsets
  }

  async sendOffsets(group: GroupIdentity, offsets: readonly ConsumerOffset[]): Promise<void> {
    await this.perform('sendOffsets', this.callMs(), async (deadline) => {
      const commitDeadline = await this.addOffsets(group.groupId, deadline)
      await this.commitOffsets(group, offsets, commitDeadline)
      return 'open'
    })
  }

  async commit(): Promise<void> {
    await this.perform('commit', this.callMs(), (deadline) => this.endTransaction(true, deadline))
  }

  async abort(): Promise<void> {
    await this.perform('abort', this.callMs(), async (deadline) => {
      return this.state === 'open' ? await this.endTransaction(false, deadline) : this.state
    })
  }

  close(): void {
    if (this.death !== null) return
    this.state = 'dead'
    this.death = new CodedError('INTERNAL', { operation: 'TransactionalProducer', detail: 'It was closed.' })
  }

  /** Runs one call and takes the state it returns; any failure is the producer's last. */
  private async perform(
    operation: Operation,
    limitMs: number,
    work: (deadline: number) => Promise<State>,
  ): Promise<void> {
    if (this.death !== null) throw this.death
    try {
      this.refuseWhereNotAllowed(operation)
      this.running = operation
      const next = await work(this.context.clock.monotonic() + limitMs)
      // Closed meanwhile: what was done may be done, but nobody may build on it.
      if (this.death !== null) throw this.death
      this.state = next
    } catch (error) {
      throw this.die(operation, error)
    } finally {
      this.running = null
    }
  }

  private refuseWhereNotAllowed(operation: Operation): void {
    const isAllowed = allowedIn[operation].includes(this.state)
    if (isAllowed && this.running === null) return
    const detail =
      this.running === null
        ? `It was called in the state "${this.state}".`
        : `It was called while ${this.running} was running.`
    throw new CodedError('INTERNAL', { operation: `TransactionalProducer.${operation}`, detail })
  }

  private die(operation: Operation, error: unknown): CodedError {
    const failure = coded(error, operation)
    const death = failure.behaviour === 'retry' ? outcomeUnknown(operation, failure) : failure
    if (this.death === null) {
      this.state = 'dead'
      this.death = death
      const { transactionalId } = this.options
      this.context.log.debug({ error: death, transactionalId }, 'a transactional producer has ended')
    }
    return death
  }

  /** Batches per partition, numbered on from the last send. An outgoing without records is left out. */
  private async encode(outgoing: readonly Outgoing[], endOffsets: number[]): Promise<BatchQueue[]> {
    const queues = new Map<
      string,
      BatchQueue & { batches: Buffer[]; ends: ((baseOffset: number) => void)[] }
    >()
    for (const [index, { partition, records }] of outgoing.entries()) {
      if (records.recordCount === 0) continue
      const key = partitionKey(partition)
      const ends = queues.get(key)?.ends ?? []
      const acknowledged = (at: number, baseOffset: number) => ends[at]?.(baseOffset)
      const queue = queues.get(key) ?? { ...partition, batches: [], ends, acknowledged }
      queues.set(key, queue)
      for (const { batch, recordCount } of await this.build(records, key)) {
        queue.batches.push(batch)
        queue.ends.push((baseOffset) => {
          endOffsets[index] = baseOffset + recordCount
        })
      }
    }
    return [...queues.values()]
  }

  private async build(
    records: RecordAppender,
    key: string,
  ): Promise<{ batch: Buffer; recordCount: number }[]> {
    if (!(records instanceof RecordBatchBuilder)) {
      throw new CodedError('INTERNAL', {
        operation: 'TransactionalProducer.send',
        detail: 'The records come from an appender of another client.',
      })
    }
    const baseSequence = this.sequences.get(key) ?? 0
    // Sequence numbers are 31 bits wide and start over at 0.
    this.sequences.set(key, (baseSequence + records.recordCount) % 2 ** 31)
    const { producerId, producerEpoch } = this
    return await records.build({ producerId, producerEpoch, baseSequence, transactional: true })
  }

  /** Step 2. Returns the deadline for the rest of the call. */
  private async addPartitions(partitions: readonly TopicPartition[], deadline: number): Promise<number> {
    const added = partitions.filter((partition) => !this.partitionsInTransaction.has(partitionKey(partition)))
    if (added.length === 0) return deadline
    const request = { ...this.producer(), topics: byTopic(added) }
    const restDeadline = await this.join(deadline, async (timeoutMs) => {
      const { partitions: answers } = await this.toCoordinator('AddPartitionsToTxn', request, timeoutMs)
      const failed = answers.filter(({ errorCode }) => errorCode !== kafkaError.NONE)
      // The partitions that were not at fault say that nothing was attempted.
      const gravest =
        failed.find(({ errorCode }) => errorCode !== kafkaError.OPERATION_NOT_ATTEMPTED) ?? failed[0]
      if (gravest !== undefined) {
        this.refuse('AddPartitionsToTxn', gravest.errorCode, gravest)
      }
    })
    for (const partition of added) this.partitionsInTransaction.add(partitionKey(partition))
    return restDeadline
  }

  /** Step 4. Returns the deadline for the rest of the call. */
  private async addOffsets(groupId: string, deadline: number): Promise<number> {
    if (this.groupsInTransaction.has(groupId)) return deadline
    const restDeadline = await this.join(deadline, async (timeoutMs) => {
      const answer = await this.toCoordinator('AddOffsetsToTxn', { ...this.producer(), groupId }, timeoutMs)
      this.refuse('AddOffsetsToTxn', answer.errorCode)
    })
    this.groupsInTransaction.add(groupId)
    return restDeadline
  }

  /**
   * Steps 2 and 4, whichever comes first in a transaction, wait for the markers of the one before it. That wait is no part of
   * the new transaction's time: where markers took longer than the time-out, hardly a transaction would begin otherwise.
   */
  private async join(deadline: number, attempt: (timeoutMs: number) => Promise<void>): Promise<number> {
    const hasBegun = this.partitionsInTransaction.size > 0 || this.groupsInTransaction.size > 0
    if (hasBegun) {
      await retry(this.context, { deadline }, attempt)
      return deadline
    }
    const { clock } = this.context
    const options = { deadline: clock.monotonic() + beginDeadlineMs }
    await retry(this.context, options, (remainingMs) => attempt(Math.min(remainingMs, this.callMs())))
    return clock.monotonic() + this.callMs()
  }

  /** Step 5. */
  private async commitOffsets(
    identity: GroupIdentity,
    offsets: readonly ConsumerOffset[],
    deadline: number,
  ): Promise<void> {
    const { cluster } = this.context
    const operation = 'TxnOffsetCommit'
    const group = groupKey(identity.groupId)
    const partitions = offsets.map(({ partition, offset, metadata }) => ({ ...partition, offset, metadata }))
    const request = { ...this.producer(), ...identity, partitions }
    await retry(this.context, { deadline }, async (timeoutMs) => {
      const answer = await cluster.toCoordinator(group, operation, request, { timeoutMs, lane: this.lane })
      const failed = answer.partitions.find(({ errorCode }) => errorCode !== kafkaError.NONE)
      if (failed !== undefined) throw cluster.coordinatorError(group, failed.errorCode, operation)
    })
  }

  /** Step 6. */
  private async endTransaction(commit: boolean, deadline: number): Promise<State> {
    const request = { ...this.producer(), commit }
    await retry(this.context, { deadline }, async (remainingMs) => {
      const answer = await this.toCoordinator('EndTxn', request, remainingMs)
      this.refuse('EndTxn', answer.errorCode)
    })
    this.partitionsInTransaction.clear()
    this.groupsInTransaction.clear()
    return 'ready'
  }

  private producer() {
    const { producerId, producerEpoch } = this
    return { transactionalId: this.options.transactionalId, producerId, producerEpoch }
  }

  private async toCoordinator<
    A extends 'InitProducerId' | 'AddPartitionsToTxn' | 'AddOffsetsToTxn' | 'EndTxn',
  >(api: A, request: Apis[A]['request'], timeoutMs: number): Promise<Apis[A]['answer']> {
    const options = { timeoutMs, lane: this.lane }
    return await this.context.cluster.toCoordinator(this.coordinated, api, request, options)
  }

  /** Throws unless the coordinator's answer is a success. */
  private refuse(operation: string, kafkaCode: number, partition?: TopicPartition): void {
    if (kafkaCode === kafkaError.NONE) return
    const failure = this.context.cluster.coordinatorError(this.coordinated, kafkaCode, operation)
    if (partition === undefined) throw failure
    throw brokerError(kafkaCode, { operation, topic: partition.topic, partition: partition.partition })
  }

  private callMs(): number {
    return this.options.transactionTimeoutMs * callShare
  }
}

/** A call that could not be finished in time: nobody but the next producer knows how far it got. */
function outcomeUnknown(operation: Operation, failure: CodedError): CodedError {
  return new CodedError('OUTCOME_UNKNOWN', {
    ...failure.details,
    operation,
    detail: `It could not be done in time: ${failure.details.detail ?? failure.code}`,
    cause: failure,
  })
}
