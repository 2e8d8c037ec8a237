/**
 * The verifier's own way to Kafka: kafkajs's cluster for connections, metadata and offsets, and a raw Fetch (version 11,
 * read_committed, no session) whose record batches stay bytes. Nothing of `src/kafka` is used, so that a fault there cannot
 * hide itself from the verifier.
 */
import { createRequire } from 'node:module'
import type { ConnectionOptions } from 'node:tls'
import type { SASLOptions } from 'kafkajs'
import { CodedError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import { decodeFetchAnswer, type FetchedPartition } from './fetch-answer.ts'
import { decodeTopicIdAnswer, metadataApi, topicIdRequest, topicIdVersion } from './topic-id.ts'

export interface KafkaConnection {
  /** host:port of the brokers to start from. */
  readonly brokers: readonly string[]
  readonly ssl?: ConnectionOptions
  readonly sasl?: SASLOptions
}

/** Reads of a cluster, each retried while leaders move or connections break, and failing with a CodedError after that. */
export interface KafkaReader {
  /** Null where there is no such topic. */
  partitionCount(topic: string): Promise<number | null>
  /** As Kafka writes it; null where the topic, or a broker that is too old, has none. */
  topicId(topic: string): Promise<string | null>
  /** By partition: first offset, end of the log, or last stable offset (both exclusive). */
  offsets(topic: string, which: 'earliest' | 'highWatermark' | 'lastStable'): Promise<number[]>
  /** By partition: the group's committed offset, or null. */
  committedOffsets(groupId: string, topic: string): Promise<(number | null)[]>
  /** One Fetch answer for one partition. */
  fetch(topic: string, partition: number, offset: number, maxBytes: number): Promise<FetchedPartition>
  readonly clock: Clock
  close(): Promise<void>
}

interface PartitionOffset {
  readonly partition: number
  readonly offset: string
}

/** What is used of kafkajs's Broker. */
interface Broker {
  listOffsets(request: {
    replicaId: number
    isolationLevel: number
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[]
  }): Promise<{ responses: { partitions: PartitionOffset[] }[] }>
  findGroupCoordinator(request: {
    groupId: string
    coordinatorType: number
  }): Promise<{ coordinator: { nodeId: number } }>
  offsetFetch(request: {
    groupId: string
    topics: { topic: string; partitions: { partition: number }[] }[]
  }): Promise<{ responses: { partitions: PartitionOffset[] }[] }>
  /** By number of the API. */
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>> | null
  readonly connectionPool: {
    send<Answer>(exchange: {
      request: unknown
      response: { decode(payload: Buffer): Promise<Answer>; parse(answer: Answer): unknown }
    }): Promise<Answer>
  }
}

/** What is used of kafkajs's Cluster. */
interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
  findBroker(which: { nodeId: number }): Promise<Broker>
}

const require = createRequire(import.meta.url)
const ClusterOfKafkajs: new (options: object) => Cluster = require('kafkajs/src/cluster')
const socketFactory: () => unknown = require('kafkajs/src/network/socketFactory')
const { createLogger, LEVELS }: { createLogger(options: object): unknown; LEVELS: { NOTHING: number } } =
  require('kafkajs/src/loggers')
const fetchRequest: (body: object) => unknown = require('kafkajs/src/protocol/requests/fetch/v11/request')
const RequestQueue: {
  prototype: { readonly pending: readonly unknown[]; scheduleCheckPendingRequests(): void }
} = require('kafkajs/src/network/requestQueue')

// As kafkajs has it, an idle connection wakes every millisecond, by a timer of negative time of which Node warns on the terminal.
const scheduleCheck = RequestQueue.prototype.scheduleCheckPendingRequests
RequestQueue.prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0) scheduleCheck.call(this)
}

const requestTimeoutMs = 30_000
const attempts = 40
const backOffMs = 250
/** Of groups, not of transactions. */
const groupCoordinator = 0
const maxWaitMs = 250
const readUncommitted = 0
const readCommitted = 1

/** Connects. Throws KAFKA_UNREACHABLE or AUTHENTICATION_FAILED. */
export async function openReader(connection: KafkaConnection, clock: Clock): Promise<KafkaReader> {
  const cluster = new ClusterOfKafkajs({
    ...connection,
    brokers: [...connection.brokers],
    clientId: 'login-stats-verify',
    logger: createLogger({ level: LEVELS.NOTHING, logCreator: () => () => undefined }),
    socketFactory: socketFactory(),
    connectionTimeout: 5000,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    metadataMaxAge: 60_000,
    allowAutoTopicCreation: false,
    retry: { retries: 3, initialRetryTime: backOffMs },
  })
  const reader = new ClusterReader(cluster, clock)
  await reader.connect(connection.brokers)
  return reader
}

class ClusterReader implements KafkaReader {
  readonly clock: Clock
  readonly #cluster: Cluster

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster
    this.clock = clock
  }

  async connect(brokers: readonly string[]): Promise<void> {
    try {
      await this.#cluster.connect()
    } catch (error) {
      throw new CodedError(kindOf(error) === 'credentials' ? 'AUTHENTICATION_FAILED' : 'KAFKA_UNREACHABLE', {
        operation: 'connect',
        broker: brokers.join(','),
        cause: error,
      })
    }
  }

  async partitionCount(topic: string): Promise<number | null> {
    return this.#retrying('Metadata', { topic }, async () => {
      try {
        await this.#cluster.addTargetTopic(topic)
      } catch (error) {
        if (kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return null
        throw error
      }
      return this.#cluster.findTopicPartitionMetadata(topic).length
    })
  }

  async topicId(topic: string): Promise<string | null> {
    await this.#existing(topic)
    return this.#retrying('Metadata', { topic }, async () => {
      const broker = await this.#leaderOf(topic, 0)
      if ((broker.versions?.[metadataApi]?.maxVersion ?? 0) < topicIdVersion) return null
      const { errorCode, topicId } = await broker.connectionPool.send({
        request: topicIdRequest(topic),
        response: { decode: async (payload) => decodeTopicIdAnswer(payload), parse: (decoded) => decoded },
      })
      if (errorCode !== 0) throw new BrokerRefusal(errorCode)
      return topicId
    })
  }

  async offsets(topic: string, which: 'earliest' | 'highWatermark' | 'lastStable'): Promise<number[]> {
    const timestamp = which === 'earliest' ? -2 : -1
    const isolationLevel = which === 'highWatermark' ? readUncommitted : readCommitted
    const offsets: number[] = []
    for (let partition = 0; partition < (await this.#existing(topic)); partition++)
      offsets.push(
        await this.#retrying('ListOffsets', { topic, partition }, async () => {
          const broker = await this.#leaderOf(topic, partition)
          const partitions = [{ partition, timestamp }]
          const topics = [{ topic, partitions }]
          const { responses } = await broker.listOffsets({ replicaId: -1, isolationLevel, topics })
          return Number(responses[0]?.partitions[0]?.offset)
        }),
      )
    return offsets
  }

  async committedOffsets(groupId: string, topic: string): Promise<(number | null)[]> {
    const partitions = Array.from({ length: await this.#existing(topic) }, (_, partition) => ({ partition }))
    return this.#retrying('OffsetFetch', { topic }, async () => {
      const broker = await this.#coordinatorOf(groupId, topic)
      const { responses } = await broker.offsetFetch({ groupId, topics: [{ topic, partitions }] })
      const found = new Map(
        responses[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]),
      )
      return partitions.map(({ partition }) => {
        const offset = found.get(partition) ?? -1
        return offset < 0 ? null : offset
      })
    })
  }

  async fetch(topic: string, partition: number, offset: number, maxBytes: number): Promise<FetchedPartition> {
    await this.#existing(topic)
    return this.#retrying('Fetch', { topic, partition, offset }, async () => {
      const broker = await this.#leaderOf(topic, partition)
      const partitions = [{ partition, fetchOffset: offset, maxBytes }]
      const request = fetchRequest({
        replicaId: -1,
        maxWaitTime: maxWaitMs,
        minBytes: 1,
        maxBytes,
        isolationLevel: readCommitted,
        topics: [{ topic, partitions }],
      })
      const answer = await broker.connectionPool.send({
        request,
        response: { decode: async (payload) => decodeFetchAnswer(payload), parse: (decoded) => decoded },
      })
      if (answer.errorCode === offsetOutOfRange)
        throw new CodedError('OFFSET_OUT_OF_RANGE', { operation: 'Fetch', topic, partition, offset })
      if (answer.errorCode !== 0) throw new BrokerRefusal(answer.errorCode)
      return answer
    })
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect()
  }

  async #existing(topic: string): Promise<number> {
    const count = await this.partitionCount(topic)
    if (count === null) throw new CodedError('TOPIC_MISSING', { operation: 'look for a topic', topic })
    return count
  }

  /** Any broker knows. The cluster's own way to ask does not say why it was refused. */
  async #coordinatorOf(groupId: string, topic: string): Promise<Broker> {
    const asked = await this.#leaderOf(topic, 0)
    const { coordinator } = await asked.findGroupCoordinator({ groupId, coordinatorType: groupCoordinator })
    return await this.#cluster.findBroker(coordinator)
  }

  async #leaderOf(topic: string, partition: number): Promise<Broker> {
    const found = this.#cluster
      .findTopicPartitionMetadata(topic)
      .find(({ partitionId }) => partitionId === partition)
    return this.#cluster.findBroker({ nodeId: found?.leader ?? -1 })
  }

  /** Reads change nothing, so any failure that may pass is answered with fresh metadata and another attempt. */
  async #retrying<T>(
    operation: string,
    place: { topic: string; partition?: number; offset?: number },
    read: () => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await read()
      } catch (error) {
        const kind = kindOf(error)
        if (error instanceof CodedError) throw error
        if (kind === 'rights')
          throw new CodedError('AUTHORIZATION_FAILED', { operation, ...place, cause: error })
        if (kind === 'credentials')
          throw new CodedError('AUTHENTICATION_FAILED', { operation, ...place, cause: error })
        if (attempt === attempts)
          throw new CodedError('KAFKA_RETRIABLE', { operation, ...place, cause: error })
        await this.clock.sleep(backOffMs)
        await this.#refresh()
      }
    }
  }

  async #refresh(): Promise<void> {
    try {
      await this.#cluster.refreshMetadata()
    } catch (error) {
      // The attempt that follows will meet the same trouble, and count it.
      if (kindOf(error) !== 'passing') throw error
    }
  }
}

const offsetOutOfRange = 1
const authorizationErrors = [29, 30, 31]

/** An error code in an answer that is not kafkajs's own. */
class BrokerRefusal extends Error {
  readonly errorCode: number

  constructor(errorCode: number) {
    super(`The broker answered with error code ${errorCode}.`)
    this.errorCode = errorCode
  }
}

/** The name of the protocol's error in an error of kafkajs. */
function kafkaErrorType(error: unknown): string {
  return error instanceof Error && 'type' in error ? String(error.type) : ''
}

function kindOf(error: unknown): 'rights' | 'credentials' | 'passing' {
  if (error instanceof BrokerRefusal && authorizationErrors.includes(error.errorCode)) return 'rights'
  if (kafkaErrorType(error).endsWith('AUTHORIZATION_FAILED')) return 'rights'
  if (error instanceof Error && error.name.startsWith('KafkaJSSASL')) return 'credentials'
  return 'passing'
}
