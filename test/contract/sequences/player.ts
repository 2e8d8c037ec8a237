/**
 * Plays a sequence of commands on one broker and describes its answers so that two brokers can be compared.
 *
 *   1. A command is sent when the one before it has had all its effects: a coordinator that is loading, a transaction whose markers
 *      are on their way, a topic that is not yet known everywhere are waited for (by asking again), on both brokers alike.
 *   2. What a broker may hold back (JoinGroup, SyncGroup, a Fetch with nothing to give) is not waited for. Its answer belongs to
 *      the step in which it comes. The simulated broker goes first; the real one is given time for the answers of a step.
 *   3. Descriptions name what each broker draws for itself (producer ids, member ids, topic ids) by the roles of the commands.
 */
import { type ApiName, type Apis, kafkaError as k } from '../../../src/kafka/wire/wire.ts'
import { batchOf, describeRecords } from './batches.ts'
import {
  type Command,
  type MemberRole,
  type ProducerRole,
  partitionRoles,
  type Speaker,
  slotCount,
  staticSlots,
  topicCount,
} from './commands.ts'
import type { Party } from './party.ts'

/** An answer in words of the commands; `to` says to what. */
export type Described = { readonly to: string } & Readonly<Record<string, unknown>>
export interface Step {
  readonly answers: readonly Described[]
  /** How many answers there were whenever the player paused. */
  readonly paused: readonly number[]
}

type Request<A extends ApiName> = Apis[A]['request']
type Answer<A extends ApiName> = Apis[A]['answer']

interface Producer {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

interface Written {
  next: number
  first: { baseSequence: number; records: number; bytes: number } | null
  last: { baseSequence: number; records: number; bytes: number } | null
}

interface Slot {
  readonly instanceId: string | null
  memberId: string
  former: string
  generationId: number
  lives: number
  /** What it must give to each member, if it leads: by member id, the metadata that it joined with. */
  plan: readonly { memberId: string; metadata: Buffer }[]
  metadata: number
}

const timeoutMs = 10_000
const heldTimeoutMs = 60_000
/** Longer than a sequence takes: no time-out of a broker comes into it. */
const longMs = 45_000
/** How long a real broker may take for an answer that the simulated one has given. */
const patienceMs = 3000
/** The records are of long ago: without this they would be taken away, and every marker, being of now, would begin a segment. */
const keeping = [
  { name: 'retention.ms', value: '-1' },
  { name: 'segment.ms', value: '9223372036854775807' },
]
const passing: readonly number[] = [
  k.COORDINATOR_LOAD_IN_PROGRESS,
  k.COORDINATOR_NOT_AVAILABLE,
  k.NOT_COORDINATOR,
  k.CONCURRENT_TRANSACTIONS,
]
const stranger = 'stranger'

export class Player {
  readonly #party: Party
  readonly #prefix: string
  /** What each transactional id was given, the newest last. */
  readonly #issued: Producer[][] = [[], [], []]
  readonly #written = new Map<string, Written>()
  readonly #topics = new Map<string, number>()
  readonly #topicIds = new Map<string, string[]>()
  readonly #slots: Slot[]
  /** Member ids by the slot and the life that they belong to. */
  readonly #lives = new Map<string, string>()
  readonly #held = new Set<string>()
  /** Partitions on which a fetch was, or still is, held. */
  readonly #watched = new Set<number>()
  #number = 0
  #answers: (() => Described)[] = []
  /** Answers to what was held, until the next pause. */
  #arrived: { readonly to: string; readonly take: () => void }[] = []
  #paused: number[] = []
  #predicted: Step | null = null

  constructor(party: Party, prefix: string) {
    this.#party = party
    this.#prefix = prefix
    this.#slots = Array.from({ length: slotCount }, (_, slot) => ({
      instanceId: slot < staticSlots ? `instance-${slot}` : null,
      memberId: '',
      former: stranger,
      generationId: -1,
      lives: 0,
      plan: [],
      metadata: 0,
    }))
  }

  /** What both brokers begin with: coordinators, topics and two transactional ids. */
  async begin(): Promise<void> {
    // Kafka makes its own topics when somebody asks for a coordinator.
    for (const keyType of [0, 1] as const) await this.#play({ op: 'FindCoordinator', keyType })
    await this.#createTopics([
      { topic: 0, count: 2, replicas: 1 },
      { topic: 1, count: 1, replicas: 1 },
    ])
    for (const id of [0, 1]) await this.#play({ op: 'InitProducerId', id, timeoutMs: 60_000 })
    this.#answers = []
  }

  /** `predicted`: the answers of the simulated broker, of which the real one is given time for as many. */
  async step(command: Command, predicted: Step | null): Promise<Step> {
    this.#answers = []
    this.#paused = []
    this.#predicted = predicted
    await this.#play(command)
    await this.#pause()
    // What comes without having been foretold must have its chance too.
    if (predicted !== null && this.#held.size > 0) await this.#party.pass(5)
    this.#takeArrived()
    const answers = this.#answers.map((describe) => describe())
    return { answers: answers.toSorted((a, b) => (a.to < b.to ? -1 : 1)), paused: this.#paused }
  }

  #takeArrived(): void {
    // On connections of their own they come in whatever order.
    const arrived = this.#arrived.toSorted((a, b) => (a.to < b.to ? -1 : 1))
    this.#arrived = []
    for (const { take } of arrived) take()
  }

  /** Until all that can be answered is answered; on the real broker, as much as on the simulated one. */
  async #pause(): Promise<void> {
    if (this.#predicted === null) await this.#party.pass(20)
    else {
      const expected = this.#predicted.paused[this.#paused.length] ?? 0
      const count = () => this.#answers.length + this.#arrived.length
      for (let waited = 0; count() < expected && waited < patienceMs; waited += 2) await this.#party.pass(2)
    }
    this.#takeArrived()
    this.#paused.push(this.#answers.length)
  }

  async end(): Promise<void> {
    const topics = [...this.#topics.keys()]
    if (topics.length > 0) await this.#send('DeleteTopics', { topics, timeoutMs })
    await this.#party.close()
  }

  #send<A extends ApiName>(api: A, request: Request<A>, lane = 'control'): Promise<Answer<A>> {
    const { wire, nodeId } = this.#party
    return this.#party.wait(wire.send(nodeId, api, request, { timeoutMs, lane }))
  }

  /** Asks until the answer is not one of those that pass. */
  async #settled<A extends ApiName>(
    api: A,
    request: Request<A>,
    codesOf: (answer: Answer<A>) => readonly number[],
  ): Promise<Answer<A>> {
    for (let attempts = 0; ; attempts++) {
      const answer = await this.#send(api, request)
      if (attempts === 2000 || !codesOf(answer).some((code) => passing.includes(code))) return answer
      await this.#party.pass(2)
    }
  }

  #answered(api: ApiName, describe: () => Readonly<Record<string, unknown>>): void {
    const to = `${String(this.#number++).padStart(4, '0')} ${api}`
    this.#answers.push(() => ({ to, ...describe() }))
  }

  /** Sends what may be held back, on a connection of its own. */
  async #hold<A extends ApiName>(
    api: A,
    request: Request<A>,
    take: (answer: Answer<A>) => () => Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const to = `${String(this.#number++).padStart(4, '0')} ${api}`
    const { wire, nodeId } = this.#party
    // The connection is there before it is needed, so that nothing overtakes the request.
    await this.#send('Metadata', { topics: [] }, to)
    this.#held.add(to)
    wire.send(nodeId, api, request, { timeoutMs: heldTimeoutMs, lane: to }).then(
      (answer) => {
        this.#held.delete(to)
        this.#arrived.push({
          to,
          take: () => {
            const describe = take(answer)
            this.#answers.push(() => ({ to, ...describe() }))
          },
        })
      },
      // The connection is closed at the end of the sequence, and with it what is held then.
      () => this.#held.delete(to),
    )
    await this.#party.pass(3)
  }

  async #play(command: Command): Promise<void> {
    switch (command.op) {
      case 'FindCoordinator':
        return this.#findCoordinator(command.keyType)
      case 'InitProducerId':
        return this.#initProducerId(command.id, command.timeoutMs)
      case 'AddPartitionsToTxn':
        return this.#addPartitions(this.#producer(command.by), command.partitions)
      case 'AddOffsetsToTxn': {
        const request = { ...this.#producer(command.by), groupId: this.#groupId }
        const { errorCode } = await this.#settled('AddOffsetsToTxn', request, one)
        return this.#answered('AddOffsetsToTxn', () => ({ errorCode }))
      }
      case 'TxnOffsetCommit':
        return this.#commitOffsets(command)
      case 'Produce':
        return this.#produce(command)
      case 'EndTxn':
        return this.#endTransaction(this.#producer(command.by), command.commit)
      case 'Fetch':
        return this.#fetch(command)
      case 'ListOffsets':
        return this.#listOffsets(command)
      case 'DeleteRecords':
        return this.#deleteRecords(command)
      case 'OffsetFetch':
        return this.#offsets(command.partitions, command.requireStable)
      case 'Metadata':
        return this.#metadata(command.topics)
      case 'CreateTopics':
        return this.#createTopics([command])
      case 'CreatePartitions':
        return this.#createPartitions(command)
      case 'DeleteTopics':
        return this.#deleteTopic(command.topic)
      case 'JoinGroup':
        return this.#join(command)
      case 'SyncGroup':
        return this.#sync(command.from)
      case 'Heartbeat': {
        const request = { groupId: this.#groupId, ...this.#member(command.from) }
        const { errorCode } = await this.#settled('Heartbeat', request, one)
        return this.#answered('Heartbeat', () => ({ errorCode }))
      }
      case 'LeaveGroup':
        return this.#leave(command.members)
      case 'Rebalance':
        return this.#rebalance()
      case 'DescribeGroups':
        return this.#describeGroup()
      case 'DeleteGroups': {
        const { errorCode } = await this.#settled('DeleteGroups', { groupId: this.#groupId }, one)
        return this.#answered('DeleteGroups', () => ({ errorCode }))
      }
    }
  }

  // Names.

  get #groupId(): string {
    return `${this.#prefix}-group`
  }

  #topicName(topic: number): string {
    return `${this.#prefix}-topic-${topic}`
  }

  #partition(role: number): { topic: string; partition: number } {
    const { topic = 0, partition = 0 } = partitionRoles[role] ?? {}
    return { topic: this.#topicName(topic), partition }
  }

  #labelOfPartition({ topic, partition }: { topic: string; partition: number }): string {
    return `${topic.slice(this.#prefix.length + 1)}/${partition}`
  }

  #byTopic(partitions: readonly number[]): { topic: string; partitions: number[] }[] {
    const topics = Map.groupBy(
      partitions.map((role) => this.#partition(role)),
      ({ topic }) => topic,
    )
    return [...topics].map(([topic, list]) => ({ topic, partitions: list.map(({ partition }) => partition) }))
  }

  #producer({ id, age }: ProducerRole): Producer {
    const transactionalId = `${this.#prefix}-id-${id}`
    const issued = this.#issued[id] ?? []
    const newest = issued.at(-1)
    // One that nobody has ever been given.
    if (newest === undefined) return { transactionalId, producerId: 999_999_999n, producerEpoch: 0 }
    if (age < 0) return { ...newest, producerEpoch: newest.producerEpoch - age }
    return issued.at(-1 - age) ?? newest
  }

  #labelOfProducer(producerId: bigint): string {
    const id = this.#issued.findIndex((issued) =>
      issued.some((producer) => producer.producerId === producerId),
    )
    return producerId < 0n ? 'nobody' : `id-${id}`
  }

  #member({ slot, as, generation }: MemberRole) {
    const { instanceId, generationId } = this.#slots[slot] as Slot
    return { memberId: this.#memberId(slot, as), instanceId, generationId: generationId + generation }
  }

  #memberId(slot: number, as: Speaker): string {
    const { memberId, former } = this.#slots[slot] as Slot
    if (as === 'itself') return memberId
    return as === 'new' ? '' : as === 'former' ? former : stranger
  }

  #labelOfMember(memberId: string): string {
    return this.#lives.get(memberId) ?? (memberId === '' || memberId === stranger ? memberId : 'unknown')
  }

  /** A description of partitions with their error codes, and what else the answer says of them. */
  #describePartitions<P extends { topic: string; partition: number; errorCode: number }>(
    partitions: readonly P[],
    more: (partition: P) => Readonly<Record<string, unknown>> = () => ({}),
  ): Readonly<Record<string, unknown>> {
    const entries = partitions.map((partition): [string, unknown] => [
      this.#labelOfPartition(partition),
      { errorCode: partition.errorCode, ...more(partition) },
    ])
    // The order of partitions in an answer means nothing.
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  // Transactions.

  async #findCoordinator(keyType: 0 | 1): Promise<void> {
    const key = keyType === 0 ? this.#groupId : `${this.#prefix}-id-0`
    const { errorCode, nodeId } = await this.#settled('FindCoordinator', { key, keyType }, one)
    this.#answered('FindCoordinator', () => ({ errorCode, isThisOne: nodeId === this.#party.nodeId }))
  }

  async #initProducerId(id: number, transactionTimeoutMs: number): Promise<void> {
    const transactionalId = `${this.#prefix}-id-${id}`
    const request = { transactionalId, transactionTimeoutMs }
    const { errorCode, producerId, producerEpoch } = await this.#settled('InitProducerId', request, one)
    const issued = this.#issued[id] as Producer[]
    const isSameId = issued.length > 0 && issued.at(-1)?.producerId === producerId
    if (errorCode === k.NONE) issued.push({ transactionalId, producerId, producerEpoch })
    this.#answered('InitProducerId', () => ({ errorCode, producerEpoch, isSameId }))
  }

  async #addPartitions(producer: Producer, partitions: readonly number[]): Promise<void> {
    const request = { ...producer, topics: this.#byTopic(partitions) }
    const answer = await this.#settled('AddPartitionsToTxn', request, each)
    this.#answered('AddPartitionsToTxn', () => this.#describePartitions(answer.partitions))
  }

  async #commitOffsets(command: Extract<Command, { op: 'TxnOffsetCommit' }>): Promise<void> {
    const { by, from, partitions, offset } = command
    const nobody = { memberId: '', instanceId: null, generationId: -1 }
    const request = {
      ...this.#producer(by),
      groupId: this.#groupId,
      ...(from === null ? nobody : this.#member(from)),
      partitions: partitions.map((role) => ({ ...this.#partition(role), offset, metadata: `at ${offset}` })),
    }
    const answer = await this.#settled('TxnOffsetCommit', request, each)
    this.#answered('TxnOffsetCommit', () => this.#describePartitions(answer.partitions))
  }

  async #produce(command: Extract<Command, { op: 'Produce' }>): Promise<void> {
    const { by, adds, partitions, records, damage } = command
    const producer = by === null ? null : this.#producer(by)
    if (producer !== null && adds) await this.#addPartitions(producer, partitions)
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
    const answer = await this.#send('Produce', {
      transactionalId: producer?.transactionalId ?? null,
      timeoutMs,
      partitions: sent.map(({ role, batch }) => ({ ...this.#partition(role), batch })),
    })
    for (const { role, written, wanted } of sent) {
      const { topic, partition } = this.#partition(role)
      const found = answer.partitions.find((one) => one.topic === topic && one.partition === partition)
      const next = wanted.baseSequence + wanted.records
      if (found?.errorCode !== k.NONE || next <= written.next) continue
      written.next = next
      written.first ??= wanted
      written.last = wanted
    }
    this.#answered('Produce', () =>
      this.#describePartitions(answer.partitions, ({ baseOffset, logStartOffset }) => ({
        baseOffset,
        logStartOffset,
      })),
    )
  }

  async #endTransaction(producer: Producer, commit: boolean): Promise<void> {
    const request = { ...producer, commit }
    const { errorCode } = await this.#settled('EndTxn', request, one)
    this.#answered('EndTxn', () => ({ errorCode }))
    // Until the markers are written, the same request again meets CONCURRENT_TRANSACTIONS; then it has no effect.
    if (errorCode === k.NONE) await this.#settled('EndTxn', request, one)
  }

  // Records.

  async #fetch(command: Extract<Command, { op: 'Fetch' }>): Promise<void> {
    const { partitions: roles, back, maxBytes, partitionMaxBytes, isHeld } = command
    // Markers of a transaction reach its partitions one by one: with which of them a held fetch is answered is anybody's guess.
    const wanted = roles.slice(0, isHeld ? 1 : 2).map((role) => this.#partition(role))
    const listed = await this.#send('ListOffsets', {
      isolationLevel: 1,
      partitions: wanted.map((partition) => ({ ...partition, timestamp: -1 })),
    })
    const partitions = wanted.map(({ topic, partition }) => {
      const found = listed.partitions.find((one) => one.topic === topic && one.partition === partition)
      const offset = Math.max(0, (found?.offset ?? 0) - back)
      return { topic, partition, offset, maxBytes: partitionMaxBytes }
    })
    // Whether a fetch from beyond the last stable offset is held depends on where the batches lie in the file.
    const isBeyond = back < 0
    const describe = (answer: Answer<'Fetch'>) => () => ({
      errorCode: answer.errorCode,
      ...this.#describePartitions(answer.partitions, (partition) => this.#describeFetched(partition)),
    })
    const willWait = isHeld && !isBeyond
    const request = { maxWaitMs: willWait ? longMs : 0, minBytes: 1, maxBytes, partitions }
    if (willWait) {
      this.#watched.add(roles[0] ?? 0)
      return this.#hold('Fetch', request, describe)
    }
    const answer = await this.#send('Fetch', request, 'fetch')
    this.#answered('Fetch', describe(answer))
  }

  #describeFetched(fetched: Answer<'Fetch'>['partitions'][number]): Readonly<Record<string, unknown>> {
    const { highWatermark, lastStableOffset, logStartOffset, abortedTransactions, records } = fetched
    const { batches, end } = describeRecords(records, (id) => this.#labelOfProducer(id))
    const aborted = abortedTransactions
      // A broker may look further than it reads, as far as its index of offsets is coarse.
      .filter(({ firstOffset }) => firstOffset < end)
      .map(({ producerId, firstOffset }) => `${this.#labelOfProducer(producerId)} from ${firstOffset}`)
    return { highWatermark, lastStableOffset, logStartOffset, aborted, batches }
  }

  async #listOffsets(command: Extract<Command, { op: 'ListOffsets' }>): Promise<void> {
    const { partitions, isolationLevel, timestamp } = command
    const answer = await this.#send('ListOffsets', {
      isolationLevel,
      partitions: partitions.map((role) => ({ ...this.#partition(role), timestamp })),
    })
    this.#answered('ListOffsets', () =>
      this.#describePartitions(answer.partitions, ({ offset }) => ({ offset })),
    )
  }

  async #deleteRecords({ partition, offset }: Extract<Command, { op: 'DeleteRecords' }>): Promise<void> {
    // When a held fetch notices that its records are gone depends on where the batches lie in the file.
    if (this.#watched.has(partition)) return
    const partitions = [{ ...this.#partition(partition), offset }]
    const answer = await this.#send('DeleteRecords', { partitions, timeoutMs })
    this.#answered('DeleteRecords', () => this.#describePartitions(answer.partitions))
  }

  async #offsets(partitions: readonly number[], requireStable: boolean): Promise<void> {
    const request = { groupId: this.#groupId, topics: this.#byTopic(partitions), requireStable }
    const answer = await this.#settled('OffsetFetch', request, one)
    this.#answered('OffsetFetch', () => ({
      errorCode: answer.errorCode,
      ...this.#describePartitions(answer.partitions, ({ offset, metadata }) => ({ offset, metadata })),
    }))
  }

  // Topics.

  async #metadata(topics: readonly number[]): Promise<void> {
    const answer = await this.#send('Metadata', { topics: topics.map((topic) => this.#topicName(topic)) })
    this.#answered('Metadata', () => {
      const described = answer.topics.map(({ errorCode, name, topicId, partitions }) => ({
        topic: name.slice(this.#prefix.length + 1),
        errorCode,
        topicId: topicId === null ? null : this.#labelOfTopicId(name, topicId),
        partitions: partitions
          .map(({ errorCode: code, partition, leaderId, leaderEpoch }) => ({
            partition,
            code,
            isLedByThisOne: leaderId === this.#party.nodeId,
            leaderEpoch,
          }))
          .toSorted((a, b) => a.partition - b.partition),
      }))
      return { topics: described.toSorted((a, b) => (a.topic < b.topic ? -1 : 1)) }
    })
  }

  #labelOfTopicId(name: string, topicId: string): string {
    const known = this.#topicIds.get(name) ?? []
    if (!known.includes(topicId)) known.push(topicId)
    this.#topicIds.set(name, known)
    return `incarnation ${known.indexOf(topicId)}`
  }

  async #createTopics(
    topics: readonly { readonly topic: number; readonly count: number; readonly replicas: number }[],
  ): Promise<void> {
    const answer = await this.#send('CreateTopics', {
      topics: topics.map(({ topic, count, replicas }) => ({
        name: this.#topicName(topic),
        partitionCount: count,
        replicationFactor: replicas,
        config: keeping,
      })),
      timeoutMs,
    })
    for (const [index, { topic, count }] of topics.entries())
      if (answer.topics[index]?.errorCode === k.NONE) this.#topics.set(this.#topicName(topic), count)
    this.#answered('CreateTopics', () => ({ codes: answer.topics.map(({ errorCode }) => errorCode) }))
    await this.#topicsAreKnown()
  }

  async #createPartitions({ topic, count }: Extract<Command, { op: 'CreatePartitions' }>): Promise<void> {
    const request = { topic: this.#topicName(topic), partitionCount: count, timeoutMs }
    const answer = await this.#send('CreatePartitions', request)
    const [errorCode] = answer.topics.map((one) => one.errorCode)
    if (errorCode === k.NONE) this.#topics.set(this.#topicName(topic), count)
    this.#answered('CreatePartitions', () => ({ errorCode }))
    await this.#topicsAreKnown()
  }

  async #deleteTopic(topic: number): Promise<void> {
    const name = this.#topicName(topic)
    const answer = await this.#send('DeleteTopics', { topics: [name], timeoutMs })
    const [errorCode] = answer.topics.map((one) => one.errorCode)
    if (errorCode === k.NONE) this.#topics.delete(name)
    this.#answered('DeleteTopics', () => ({ errorCode }))
    await this.#topicsAreKnown()
  }

  /** The controller has said yes; until the broker acts on it, it takes a moment. */
  async #topicsAreKnown(): Promise<void> {
    const names = Array.from({ length: topicCount }, (_, topic) => this.#topicName(topic))
    const partitions = names.flatMap((topic) =>
      [0, 1, 2].map((partition) => ({ topic, partition, timestamp: -1 })),
    )
    for (let attempts = 0; attempts < 1000; attempts++) {
      const listed = await this.#send('ListOffsets', { isolationLevel: 0, partitions })
      const { topics } = await this.#send('Metadata', { topics: names })
      const isServed = listed.partitions.every(
        ({ topic, partition, errorCode }) =>
          partition < (this.#topics.get(topic) ?? 0) === (errorCode === k.NONE),
      )
      if (
        isServed &&
        topics.every((topic) => topic.partitions.length === (this.#topics.get(topic.name) ?? 0))
      )
        return
      await this.#party.pass(3)
    }
  }

  // Groups.

  async #join(command: Extract<Command, { op: 'JoinGroup' }>): Promise<void> {
    const slot = this.#slots[command.slot] as Slot
    const memberId = this.#memberId(command.slot, command.as)
    slot.metadata = command.metadata
    const request = {
      groupId: this.#groupId,
      sessionTimeoutMs: longMs,
      rebalanceTimeoutMs: longMs,
      memberId,
      instanceId: slot.instanceId,
      protocolType: 'consumer',
      protocols: [{ name: command.protocol, metadata: Buffer.from(`${command.slot}: ${command.metadata}`) }],
    }
    await this.#hold('JoinGroup', request, (answer) => {
      this.#takeJoin(command.slot, memberId, answer)
      return () => ({
        errorCode: answer.errorCode,
        generationId: answer.generationId,
        protocol: answer.protocolName,
        leader: this.#labelOfMember(answer.leaderId),
        member: this.#labelOfMember(answer.memberId),
        // Their order is that of a hash table.
        members: answer.members
          .map((one) => `${this.#labelOfMember(one.memberId)} ${one.instanceId} ${one.metadata}`)
          .sort(),
      })
    })
  }

  #takeJoin(index: number, asked: string, answer: Answer<'JoinGroup'>): void {
    const slot = this.#slots[index] as Slot
    const { errorCode, memberId, generationId, members } = answer
    if (errorCode === k.NONE || errorCode === k.MEMBER_ID_REQUIRED) {
      if (!this.#lives.has(memberId)) this.#lives.set(memberId, `${index}.${slot.lives++}`)
      if (slot.memberId !== memberId && slot.memberId !== '') slot.former = slot.memberId
      slot.memberId = memberId
      slot.generationId = generationId
      slot.plan = members
    } else if (asked === slot.memberId && asked !== '') {
      slot.former = slot.memberId
      slot.memberId = ''
      slot.plan = []
    }
  }

  async #sync(from: MemberRole): Promise<void> {
    const { plan } = this.#slots[from.slot] as Slot
    const member = this.#member(from)
    const request = {
      groupId: this.#groupId,
      ...member,
      assignments: plan.map(({ memberId, metadata }) => ({
        memberId,
        assignment: Buffer.from(`for ${metadata} in ${member.generationId}`),
      })),
    }
    await this.#hold('SyncGroup', request, ({ errorCode, assignment }) => () => ({
      errorCode,
      assignment: assignment.toString(),
    }))
  }

  async #leave(members: readonly { readonly slot: number; readonly as: Speaker }[]): Promise<void> {
    const request = {
      groupId: this.#groupId,
      members: members.map(({ slot, as }) => ({
        memberId: this.#memberId(slot, as),
        instanceId: this.#slots[slot]?.instanceId ?? null,
      })),
    }
    const answer = await this.#settled('LeaveGroup', request, one)
    this.#answered('LeaveGroup', () => ({
      errorCode: answer.errorCode,
      members: answer.members.map(({ memberId, errorCode }) => [this.#labelOfMember(memberId), errorCode]),
    }))
  }

  async #rebalance(): Promise<void> {
    const joining = this.#slots.flatMap(({ memberId }, slot) => (memberId === '' ? [] : [slot]))
    for (const slot of joining.length === 0 ? [0] : joining) {
      const { metadata } = this.#slots[slot] as Slot
      await this.#join({ op: 'JoinGroup', slot, as: 'itself', metadata, protocol: 'p' })
      await this.#pause()
    }
    for (const slot of joining) {
      await this.#sync({ slot, as: 'itself', generation: 0 })
      await this.#pause()
    }
  }

  async #describeGroup(): Promise<void> {
    const answer = await this.#settled('DescribeGroups', { groupId: this.#groupId }, one)
    this.#answered('DescribeGroups', () => ({
      errorCode: answer.errorCode,
      state: answer.state,
      members: answer.members.map(({ memberId }) => this.#labelOfMember(memberId)).sort(),
    }))
  }
}

const one = (answer: { errorCode: number }): number[] => [answer.errorCode]
const each = (answer: { partitions: { errorCode: number }[] }): number[] =>
  answer.partitions.map(({ errorCode }) => errorCode)

/** The sequence number of a batch; one that is sent again is the same as before in all. */
function sequenced(written: Written, command: Extract<Command, { op: 'Produce' }>) {
  const { sequence } = command
  if (sequence === 'again' && written.last !== null) return written.last
  if (sequence === 'first' && written.first !== null) return written.first
  if (sequence === 'gap') return { baseSequence: written.next + 5 }
  return { baseSequence: sequence === 'zero' ? 0 : written.next }
}
