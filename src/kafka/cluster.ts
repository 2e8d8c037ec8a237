/**
 * Who leads which partition and who coordinates what: a cache of the brokers' metadata. It is only ever a guess; brokers
 * that are asked wrongly say so, and whoever hears it drops the entry (`forgetLeader`, `forgetCoordinator`) and asks again.
 */
import { CodedError, coded } from '../errors.ts'
import type { TopicPartition } from '../ports/kafka.ts'
import { brokerError, saysOtherCoordinator } from './broker-errors.ts'
import type { WireContext } from './context.ts'
import { controlLane } from './lanes.ts'
import { remainingMs } from './retry.ts'
import { type ApiName, type Apis, kafkaError, type SendOptions, type Target } from './wire/wire.ts'

/** Upper bound for a short request that no broker holds back. */
export const requestTimeoutMs = 5000

interface Leader {
  readonly nodeId: number | null
  readonly epoch: number
}

interface CachedTopic {
  readonly topicId: string | null
  readonly leaders: Map<number, Leader>
}

export interface Coordinated {
  readonly keyType: 0 | 1
  readonly key: string
}

export const groupKey = (groupId: string): Coordinated => ({ keyType: 0, key: groupId })
export const transactionKey = (transactionalId: string): Coordinated => ({ keyType: 1, key: transactionalId })

export class Cluster {
  private readonly context: WireContext
  private readonly topics = new Map<string, CachedTopic>()
  private readonly coordinators = new Map<string, number>()
  private nodeIds: number[] = []
  /** The addresses of the brokers may have changed, or were never asked for. */
  private brokersStale = true
  private metadataFailures = 0

  constructor(context: WireContext) {
    this.context = context
  }

  /** Fresh metadata; what it says of leaders is kept. */
  async metadata(topics: readonly string[], timeoutMs: number): Promise<Apis['Metadata']['answer']> {
    try {
      const answer = await this.lookUp('Metadata', { topics }, timeoutMs)
      this.metadataFailures = 0
      this.remember(topics, answer)
      refuseUnauthorized(answer)
      return answer
    } catch (error) {
      this.metadataFailures++
      throw error
    }
  }

  /** The partition's leader as far as it is known without asking. */
  leaderIfKnown({ topic, partition }: TopicPartition): number | null {
    return this.topics.get(topic)?.leaders.get(partition)?.nodeId ?? null
  }

  /** Whether the latest metadata had the partition. */
  isKnown({ topic, partition }: TopicPartition): boolean {
    return this.topics.get(topic)?.leaders.has(partition) ?? false
  }

  /** The partitions by the node that leads them. Throws TOPIC_MISSING or KAFKA_RETRIABLE where one has no leader. */
  async byLeader<P extends TopicPartition>(
    partitions: readonly P[],
    timeoutMs: number,
  ): Promise<Map<number, P[]>> {
    const unknown = partitions.filter((partition) => this.leaderIfKnown(partition) === null)
    if (unknown.length > 0) await this.metadata([...new Set(unknown.map((p) => p.topic))], timeoutMs)
    const groups = new Map<number, P[]>()
    for (const partition of partitions) {
      const nodeId = this.leaderIfKnown(partition)
      if (nodeId === null) throw this.leaderless(partition)
      const group = groups.get(nodeId)
      if (group === undefined) groups.set(nodeId, [partition])
      else group.push(partition)
    }
    return groups
  }

  forgetLeader({ topic, partition }: TopicPartition): void {
    const leaders = this.topics.get(topic)?.leaders
    const leader = leaders?.get(partition)
    if (leader !== undefined) leaders?.set(partition, { nodeId: null, epoch: leader.epoch })
  }

  /** Sends to the coordinator; drops it from the cache if there is trouble. Error codes: see `coordinatorError`. */
  async toCoordinator<A extends ApiName>(
    of: Coordinated,
    api: A,
    request: Apis[A]['request'],
    options: SendOptions,
  ): Promise<Apis[A]['answer']> {
    const { clock, wire } = this.context
    const deadline = clock.monotonic() + options.timeoutMs
    const nodeId = await this.coordinator(of, options.timeoutMs)
    try {
      return await wire.send(nodeId, api, request, { ...options, timeoutMs: remainingMs(clock, deadline) })
    } catch (error) {
      this.forgetCoordinator(of)
      this.brokersStale = true
      throw error
    }
  }

  /** The error for a non-zero code in a coordinator's answer; drops the coordinator where the code says so. */
  coordinatorError(of: Coordinated, kafkaCode: number, operation: string): CodedError {
    if (saysOtherCoordinator(kafkaCode)) this.forgetCoordinator(of)
    const name = of.keyType === 0 ? 'Group' : 'Transactional id'
    return brokerError(kafkaCode, { operation, detail: `${name} ${of.key}.` })
  }

  forgetCoordinator(of: Coordinated): void {
    this.coordinators.delete(`${of.keyType}/${of.key}`)
  }

  private async coordinator(of: Coordinated, timeoutMs: number): Promise<number> {
    const cached = this.coordinators.get(`${of.keyType}/${of.key}`)
    if (cached !== undefined) return cached
    if (this.brokersStale) await this.metadata([], timeoutMs)
    const answer = await this.lookUp('FindCoordinator', of, timeoutMs)
    if (answer.errorCode !== kafkaError.NONE) {
      throw this.coordinatorError(of, answer.errorCode, 'FindCoordinator')
    }
    this.coordinators.set(`${of.keyType}/${of.key}`, answer.nodeId)
    return answer.nodeId
  }

  /** A question without effects: nothing about it stays open when its answer is lost. */
  private async lookUp<A extends 'Metadata' | 'FindCoordinator'>(
    api: A,
    request: Apis[A]['request'],
    timeoutMs: number,
  ): Promise<Apis[A]['answer']> {
    const options = { timeoutMs: Math.min(timeoutMs, requestTimeoutMs), lane: controlLane }
    try {
      return await this.context.wire.send(this.metadataTarget(), api, request, options)
    } catch (error) {
      const failure = coded(error, api)
      if (failure.code !== 'OUTCOME_UNKNOWN') throw failure
      throw new CodedError('KAFKA_RETRIABLE', {
        operation: api,
        detail: 'No answer came in time.',
        cause: failure,
      })
    }
  }

  /** The bootstrap brokers; every other time after a failure a broker that was known, since those may all be gone. */
  private metadataTarget(): Target {
    const known = this.nodeIds[Math.floor(this.metadataFailures / 2) % Math.max(1, this.nodeIds.length)]
    return this.metadataFailures % 2 === 1 && known !== undefined ? known : 'bootstrap'
  }

  private remember(asked: readonly string[], answer: Apis['Metadata']['answer']): void {
    this.brokersStale = false
    this.nodeIds = answer.brokers.map((broker) => broker.nodeId)
    for (const name of asked) {
      const topic = answer.topics.find((candidate) => candidate.name === name)
      if (topic === undefined || topic.errorCode !== kafkaError.NONE) {
        this.topics.delete(name)
        continue
      }
      const before = this.topics.get(name)
      const leaders = new Map<number, Leader>()
      for (const { partition, leaderId, leaderEpoch } of topic.partitions) {
        const known = before?.topicId === topic.topicId ? before.leaders.get(partition) : undefined
        // A broker that lags behind may still name the leader before the one that is known.
        if (known !== undefined && known.epoch > leaderEpoch) leaders.set(partition, known)
        else leaders.set(partition, { nodeId: leaderId < 0 ? null : leaderId, epoch: leaderEpoch })
      }
      this.topics.set(name, { topicId: topic.topicId, leaders })
    }
  }

  private leaderless({ topic, partition }: TopicPartition): CodedError {
    const place = { operation: 'find the leader', topic, partition }
    if (this.isKnown({ topic, partition })) {
      return new CodedError('KAFKA_RETRIABLE', {
        ...place,
        detail: 'The partition has no leader at present.',
      })
    }
    return new CodedError('TOPIC_MISSING', { ...place, detail: 'The brokers do not know the partition.' })
  }
}

function refuseUnauthorized(answer: Apis['Metadata']['answer']): void {
  const refused = answer.topics.find((topic) => topic.errorCode === kafkaError.TOPIC_AUTHORIZATION_FAILED)
  if (refused === undefined) return
  throw brokerError(refused.errorCode, { operation: 'Metadata (needs Describe)', topic: refused.name })
}
