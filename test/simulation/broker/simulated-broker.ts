/**
 * A Kafka cluster as plain data, behind the requests of the wire. What it answers, and when, follows from the requests, the time and
 * its random sequence alone.
 *
 * All nodes see the same data: what a node adds is that it leads some partitions and coordinates some groups and transactions,
 * and says so where it is asked wrongly.
 */
import { type ApiName, type Apis, kafkaError as k } from '../../../src/kafka/wire/wire.ts'
import type { EventQueue } from '../event-queue.ts'
import type { SeededRandom } from '../random.ts'
import { epochMs } from '../simulated-process.ts'
import { GroupCoordinator, type GroupSettings } from './groups.ts'
import type { PartitionLog } from './partition-log.ts'
import { type TopicDefaults, Topics } from './topics.ts'
import { type Participant, TransactionCoordinator, type TransactionSettings } from './transactions.ts'

export interface BrokerSettings extends TransactionSettings, GroupSettings, TopicDefaults {
  readonly nodeCount: number
}

type Request<A extends ApiName> = Apis[A]['request']
type Answer<A extends ApiName> = Apis[A]['answer']
type Respond<A extends ApiName> = (answer: Answer<A>) => void
type Handlers = {
  readonly [A in ApiName]: (nodeId: number, request: Request<A>, respond: Respond<A>) => void
}

interface HeldFetch {
  readonly keys: ReadonlySet<string>
  readonly complete: () => void
}

const acknowledgementCheckMs = 5

const partitionName = (topic: string, partition: number): string => `${topic}/${partition}`

export class SimulatedBroker {
  readonly topics: Topics
  readonly transactions: TransactionCoordinator
  readonly groups: GroupCoordinator
  readonly clusterId: string
  readonly nodeIds: readonly number[]
  readonly down = new Set<number>()
  readonly #queue: EventQueue
  readonly #random: SeededRandom
  readonly #coordinators = new Map<string, { nodeId: number; loadingUntil: number }>()
  readonly #heldFetches = new Map<string, Set<HeldFetch>>()
  readonly #handlers: Handlers

  constructor(queue: EventQueue, random: SeededRandom, settings: BrokerSettings) {
    this.#queue = queue
    this.#random = random
    this.clusterId = random.id()
    this.nodeIds = Array.from({ length: settings.nodeCount }, (_, index) => index + 1)
    this.topics = new Topics(random, this.nodeIds, settings, (log) => this.#wakeFetches(log))
    this.transactions = new TransactionCoordinator(queue, random, settings)
    this.groups = new GroupCoordinator(queue, random, settings)
    this.#handlers = this.#makeHandlers()
  }

  /** A request has arrived at a node; `respond` is called now, later, or never. */
  handle<A extends ApiName>(nodeId: number, api: A, request: Request<A>, respond: Respond<A>): void {
    this.#handlers[api](nodeId, request, respond)
  }

  /** Lets another node lead a partition. With `lag` its high watermark is behind by up to some batches for so long. */
  moveLeader(
    topic: string,
    partition: number,
    lag?: { readonly batches: number; readonly ms: number },
  ): void {
    const found = this.topics.partition(topic, partition)
    if (found === null || this.#upNodes().length === 0) return
    const { log } = found
    found.leaderId = this.#random.pick(this.#upNodes())
    found.leaderEpoch++
    if (lag !== undefined && !log.isLagging) {
      log.lag(lag.batches)
      this.#queue.afterQuietly(lag.ms, () => log.catchUp())
    }
    this.#wakeFetches(log)
  }

  /** Lets another node coordinate a group (0) or transactional id (1), after having loaded what it must know. */
  moveCoordinator(keyType: 0 | 1, key: string, loadingMs: number): void {
    if (this.#upNodes().length === 0) return
    const nodeId = this.#random.pick(this.#upNodes())
    this.#coordinators.set(`${keyType}/${key}`, { nodeId, loadingUntil: this.#queue.now + loadingMs })
    if (keyType === 0) this.groups.moveCoordinator(key)
  }

  /** A node stops; the others take over what it led and coordinated. */
  takeDown(nodeId: number, loadingMs: number): void {
    this.down.add(nodeId)
    if (this.#upNodes().length === 0) return
    for (const { topic, partition, leaderId } of this.topics.partitions())
      if (leaderId === nodeId) this.moveLeader(topic, partition)
    for (const [name, coordinator] of this.#coordinators) {
      if (coordinator.nodeId !== nodeId) continue
      const [keyType, ...rest] = name.split('/')
      this.moveCoordinator(keyType === '0' ? 0 : 1, rest.join('/'), loadingMs)
    }
  }

  #upNodes(): number[] {
    return this.nodeIds.filter((nodeId) => !this.down.has(nodeId))
  }

  #coordinatorOf(keyType: 0 | 1, key: string): { nodeId: number; loadingUntil: number } {
    const name = `${keyType}/${key}`
    let found = this.#coordinators.get(name)
    if (found === undefined) {
      const up = this.#upNodes()
      found = { nodeId: this.#random.pick(up.length > 0 ? up : this.nodeIds), loadingUntil: 0 }
      this.#coordinators.set(name, found)
    }
    return found
  }

  /** What a node says that is asked to coordinate. */
  #coordinating(nodeId: number, keyType: 0 | 1, key: string): number {
    const found = this.#coordinatorOf(keyType, key)
    if (found.nodeId !== nodeId) return k.NOT_COORDINATOR
    return found.loadingUntil > this.#queue.now ? k.COORDINATOR_LOAD_IN_PROGRESS : k.NONE
  }

  /** The partition's log if this node leads it, else an error code. */
  #led(nodeId: number, topic: string, partition: number): PartitionLog | number {
    const found = this.topics.partition(topic, partition)
    if (found === null) return k.UNKNOWN_TOPIC_OR_PARTITION
    return found.leaderId === nodeId ? found.log : k.NOT_LEADER_OR_FOLLOWER
  }

  #wakeFetches(log: PartitionLog): void {
    const held = this.#heldFetches.get(partitionName(log.topic, log.partition))
    if (held === undefined) return
    for (const fetch of [...held]) fetch.complete()
  }

  #makeHandlers(): Handlers {
    const { groups, transactions, topics } = this
    const group = (nodeId: number, groupId: string) => this.#coordinating(nodeId, 0, groupId)
    const ofId = (nodeId: number, id: string) => this.#coordinating(nodeId, 1, id)
    return {
      Metadata: (_, request, respond) => respond(this.#metadata(request)),
      FindCoordinator: (_, { key, keyType }, respond) => {
        const { nodeId } = this.#coordinatorOf(keyType, key)
        if (this.down.has(nodeId))
          respond({ errorCode: k.COORDINATOR_NOT_AVAILABLE, nodeId: -1, host: '', port: -1 })
        else respond({ errorCode: k.NONE, nodeId, host: `node-${nodeId}`, port: 9092 })
      },
      JoinGroup: (nodeId, request, respond) => {
        const errorCode = group(nodeId, request.groupId)
        if (errorCode === k.NONE) groups.join(request, respond)
        else {
          const { memberId } = request
          respond({ errorCode, generationId: -1, protocolName: '', leaderId: '', memberId, members: [] })
        }
      },
      SyncGroup: (nodeId, request, respond) => {
        const errorCode = group(nodeId, request.groupId)
        if (errorCode === k.NONE) groups.sync(request, respond)
        else respond({ errorCode, assignment: Buffer.alloc(0) })
      },
      Heartbeat: (nodeId, request, respond) =>
        respond({ errorCode: group(nodeId, request.groupId) || groups.heartbeat(request) }),
      LeaveGroup: (nodeId, request, respond) => {
        const errorCode = group(nodeId, request.groupId)
        respond(errorCode === k.NONE ? groups.leave(request) : { errorCode, members: [] })
      },
      OffsetFetch: (nodeId, request, respond) => {
        const errorCode = group(nodeId, request.groupId)
        respond(errorCode === k.NONE ? this.#offsets(request) : { errorCode, partitions: [] })
      },
      InitProducerId: (nodeId, { transactionalId, transactionTimeoutMs }, respond) => {
        const errorCode = ofId(nodeId, transactionalId)
        if (errorCode === k.NONE) respond(transactions.initProducerId(transactionalId, transactionTimeoutMs))
        else respond({ errorCode, producerId: -1n, producerEpoch: -1 })
      },
      AddPartitionsToTxn: (nodeId, request, respond) => respond(this.#addPartitions(nodeId, request)),
      AddOffsetsToTxn: (nodeId, request, respond) => {
        const { groupId } = request
        const participant: Participant = ({ producerId, commit }) =>
          groups.endTransaction(groupId, producerId, commit)
        const errorCode =
          ofId(nodeId, request.transactionalId) ||
          transactions.add(request, new Map([[`group ${groupId}`, participant]]))
        respond({ errorCode })
      },
      TxnOffsetCommit: (nodeId, request, respond) => respond(this.#commitOffsets(nodeId, request)),
      EndTxn: (nodeId, request, respond) =>
        respond({
          errorCode: ofId(nodeId, request.transactionalId) || transactions.end(request, request.commit),
        }),
      Produce: (nodeId, request, respond) =>
        this.#whenAcknowledged(request, this.#produce(nodeId, request), respond),
      Fetch: (nodeId, request, respond) => this.#fetch(nodeId, request, respond),
      ListOffsets: (nodeId, request, respond) => respond(this.#listOffsets(nodeId, request)),
      CreateTopics: (_, request, respond) =>
        respond({ topics: request.topics.map((topic) => topics.create(topic)) }),
      CreatePartitions: (_, { topic, partitionCount }, respond) =>
        respond({ topics: [topics.grow(topic, partitionCount)] }),
      DeleteTopics: (_, request, respond) =>
        respond({
          topics: request.topics.map((name) => ({ name, errorCode: topics.delete(name) })),
        }),
      DeleteRecords: (nodeId, request, respond) => {
        const partitions = request.partitions.map(({ topic, partition, offset }) => {
          const log = this.#led(nodeId, topic, partition)
          return { topic, partition, errorCode: typeof log === 'number' ? log : log.deleteBelow(offset) }
        })
        respond({ partitions })
      },
      DescribeConfigs: (_, { topic }, respond) => respond(topics.describe(topic)),
      DescribeGroups: (nodeId, { groupId }, respond) => {
        const errorCode = group(nodeId, groupId)
        respond(errorCode === k.NONE ? groups.describe(groupId) : { errorCode, state: '', members: [] })
      },
      DeleteGroups: (nodeId, { groupId }, respond) =>
        respond({ errorCode: group(nodeId, groupId) || groups.delete(groupId) }),
    }
  }

  #metadata({ topics }: Request<'Metadata'>): Answer<'Metadata'> {
    const up = this.#upNodes()
    return {
      clusterId: this.clusterId,
      controllerId: up[0] ?? -1,
      brokers: up.map((nodeId) => ({ nodeId, host: `node-${nodeId}`, port: 9092 })),
      topics: (topics ?? this.topics.names()).map((name) => this.topics.metadata(name, this.down)),
    }
  }

  #offsets({ groupId, topics, requireStable }: Request<'OffsetFetch'>): Answer<'OffsetFetch'> {
    const partitions = topics.flatMap(({ topic, partitions: list }) =>
      list.map((partition) => {
        const name = partitionName(topic, partition)
        if (requireStable && this.groups.hasPendingOffset(groupId, name))
          return { topic, partition, errorCode: k.UNSTABLE_OFFSET_COMMIT, offset: -1, metadata: '' }
        const { offset, metadata } = this.groups.committed(groupId, name) ?? { offset: -1, metadata: '' }
        return { topic, partition, errorCode: k.NONE, offset, metadata }
      }),
    )
    return { errorCode: k.NONE, partitions }
  }

  #addPartitions(nodeId: number, request: Request<'AddPartitionsToTxn'>): Answer<'AddPartitionsToTxn'> {
    const all = request.topics.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition, found: this.topics.partition(topic, partition) })),
    )
    const answer = (codeOf: (found: unknown) => number) => ({
      partitions: all.map(({ topic, partition, found }) => ({ topic, partition, errorCode: codeOf(found) })),
    })
    const coordinating = this.#coordinating(nodeId, 1, request.transactionalId)
    if (coordinating !== k.NONE) return answer(() => coordinating)
    if (all.some(({ found }) => found === null))
      return answer((found) => (found === null ? k.UNKNOWN_TOPIC_OR_PARTITION : k.OPERATION_NOT_ATTEMPTED))
    const participants = new Map<string, Participant>()
    // By name: of a topic that is made anew meanwhile, the new one gets the markers.
    for (const { topic, partition } of all)
      participants.set(partitionName(topic, partition), (end) =>
        this.topics.partition(topic, partition)?.log.writeMarker({ ...end, timestamp: this.#now() }),
      )
    const errorCode = this.transactions.add(request, participants)
    return answer(() => errorCode)
  }

  #commitOffsets(nodeId: number, request: Request<'TxnOffsetCommit'>): Answer<'TxnOffsetCommit'> {
    const { groupId } = request
    const isThere = ({ topic, partition }: { topic: string; partition: number }) =>
      this.topics.partition(topic, partition) !== null
    const partitions = request.partitions.filter(isThere)
    // The transaction is asked first, then the group.
    const errorCode =
      this.#coordinating(nodeId, 0, groupId) ||
      this.transactions.verify(request, `group ${groupId}`) ||
      this.groups.checkCommit(request)
    if (errorCode === k.NONE && partitions.length > 0) {
      const offsets = partitions.map(
        ({ topic, partition, offset, metadata }) =>
          [partitionName(topic, partition), { offset, metadata }] as const,
      )
      this.groups.addPendingOffsets(groupId, request.producerId, new Map(offsets))
    }
    return {
      partitions: request.partitions.map(({ topic, partition }) => ({
        topic,
        partition,
        errorCode: isThere({ topic, partition }) ? errorCode : k.UNKNOWN_TOPIC_OR_PARTITION,
      })),
    }
  }

  #produce(nodeId: number, { transactionalId, partitions }: Request<'Produce'>): Answer<'Produce'> {
    return {
      partitions: partitions.map(({ topic, partition, batch }) => {
        const answer = this.#append(nodeId, transactionalId, topic, partition, batch)
        return { topic, partition, ...answer }
      }),
    }
  }

  /** Answers once the followers have what was written. */
  #whenAcknowledged(
    request: Request<'Produce'>,
    answer: Answer<'Produce'>,
    respond: Respond<'Produce'>,
  ): void {
    const isLagging = request.partitions.some(
      ({ topic, partition }) => this.topics.partition(topic, partition)?.log.isLagging,
    )
    if (!isLagging) respond(answer)
    else
      this.#queue.afterQuietly(acknowledgementCheckMs, () => this.#whenAcknowledged(request, answer, respond))
  }

  #append(
    nodeId: number,
    transactionalId: string | null,
    topic: string,
    partition: number,
    batch: Buffer,
  ): { errorCode: number; baseOffset: number; logStartOffset: number } {
    const refused = (errorCode: number) => ({ errorCode, baseOffset: -1, logStartOffset: -1 })
    const log = this.#led(nodeId, topic, partition)
    if (typeof log === 'number') return refused(log)
    if (transactionalId !== null) {
      const producerId = batch.readBigInt64BE(43)
      const producerEpoch = batch.readInt16BE(51)
      const producer = { transactionalId, producerId, producerEpoch }
      if (!log.hasOpenTransaction(producerId, producerEpoch)) {
        log.ask(producerId, producerEpoch, batch.readInt32BE(53))
        const errorCode = this.transactions.verify(producer, partitionName(topic, partition))
        if (errorCode !== k.NONE) return refused(errorCode)
      }
    }
    const answer = log.append(batch, { maxBytes: this.topics.maxMessageBytes(topic), now: this.#now() })
    const isUnread = answer.errorCode === k.MESSAGE_TOO_LARGE || answer.errorCode === k.CORRUPT_MESSAGE
    return { ...answer, logStartOffset: isUnread ? -1 : log.logStart }
  }

  #fetch(nodeId: number, request: Request<'Fetch'>, respond: Respond<'Fetch'>): void {
    const { partitions, maxWaitMs } = request
    const unknown = this.#countUnknown(partitions)
    const now = this.#fetched(nodeId, request)
    if (maxWaitMs === 0 || unknown === partitions.length || isAnsweredAtOnce(now)) {
      respond(now)
      return
    }
    const keys = new Set(partitions.map(({ topic, partition }) => partitionName(topic, partition)))
    const complete = (isTimeout: boolean): void => {
      const later = this.#fetched(nodeId, request)
      const hasChanged = this.#countUnknown(partitions) > unknown || isAnsweredAtOnce(later)
      if (!isTimeout && !hasChanged) return
      timeout.isCancelled = true
      for (const key of keys) this.#heldFetches.get(key)?.delete(held)
      respond(later)
    }
    const held: HeldFetch = { keys, complete: () => complete(false) }
    const timeout = this.#queue.afterQuietly(maxWaitMs, () => complete(true))
    for (const key of keys) {
      const others = this.#heldFetches.get(key)
      if (others === undefined) this.#heldFetches.set(key, new Set([held]))
      else others.add(held)
    }
  }

  #countUnknown(partitions: Request<'Fetch'>['partitions']): number {
    return partitions.filter(({ topic, partition }) => this.topics.partition(topic, partition) === null)
      .length
  }

  #fetched(nodeId: number, { partitions, maxBytes }: Request<'Fetch'>): Answer<'Fetch'> {
    let left = maxBytes
    let isEmpty = true
    const answers = partitions.map(({ topic, partition, offset, maxBytes: ofPartition }) => {
      const log = this.#led(nodeId, topic, partition)
      if (typeof log === 'number' || offset < log.logStart || offset > log.end) {
        return {
          topic,
          partition,
          errorCode: typeof log === 'number' ? log : k.OFFSET_OUT_OF_RANGE,
          highWatermark: -1,
          lastStableOffset: -1,
          logStartOffset: -1,
          abortedTransactions: [],
          records: Buffer.alloc(0),
        }
      }
      const { records, abortedTransactions } = log.read(offset, Math.min(left, ofPartition), isEmpty)
      left = Math.max(0, left - records.length)
      if (records.length > 0) isEmpty = false
      return {
        topic,
        partition,
        errorCode: k.NONE,
        highWatermark: log.highWatermark,
        lastStableOffset: log.lastStable,
        logStartOffset: log.logStart,
        abortedTransactions,
        records,
      }
    })
    return { errorCode: k.NONE, partitions: answers }
  }

  #listOffsets(
    nodeId: number,
    { isolationLevel, partitions }: Request<'ListOffsets'>,
  ): Answer<'ListOffsets'> {
    return {
      partitions: partitions.map(({ topic, partition, timestamp }) => {
        const log = this.#led(nodeId, topic, partition)
        if (typeof log === 'number') return { topic, partition, errorCode: log, offset: -1 }
        if (timestamp === -2) return { topic, partition, errorCode: k.NONE, offset: log.logStart }
        // A new leader does not guess: what it does not know yet may have been seen by others.
        if (log.isLagging) return { topic, partition, errorCode: k.OFFSET_NOT_AVAILABLE, offset: -1 }
        return {
          topic,
          partition,
          errorCode: k.NONE,
          offset: isolationLevel === 1 ? log.lastStable : log.end,
        }
      }),
    }
  }

  #now(): number {
    return Math.floor(epochMs + this.#queue.now)
  }
}

/** Not held: what has records or errors. That a partition does not exist counts only if none does. */
function isAnsweredAtOnce({ partitions }: Answer<'Fetch'>): boolean {
  return partitions.some(
    ({ errorCode, records }) =>
      records.length > 0 || (errorCode !== k.NONE && errorCode !== k.UNKNOWN_TOPIC_OR_PARTITION),
  )
}
