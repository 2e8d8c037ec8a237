/** Topics with their ids, configuration and partitions. */
import { type Apis, kafkaError as k } from '../../../src/kafka/wire/wire.ts'
import type { SeededRandom } from '../random.ts'
import { PartitionLog } from './partition-log.ts'

export interface Partition {
  readonly topic: string
  readonly partition: number
  readonly log: PartitionLog
  leaderId: number
  leaderEpoch: number
}

interface Topic {
  readonly name: string
  readonly topicId: string
  readonly config: ReadonlyMap<string, string>
  readonly partitions: Partition[]
}

type NewTopic = Apis['CreateTopics']['request']['topics'][number]
type TopicAnswer = Apis['CreateTopics']['answer']['topics'][number]

export interface TopicDefaults {
  readonly maxMessageBytes: number
  readonly segmentBatches: number
}

/** As a broker has them that nobody has configured. */
const defaults: readonly (readonly [string, string])[] = [
  ['cleanup.policy', 'delete'],
  ['delete.retention.ms', '86400000'],
  ['min.insync.replicas', '1'],
  ['retention.bytes', '-1'],
  ['retention.ms', '604800000'],
]

export class Topics {
  readonly #random: SeededRandom
  readonly #defaults: TopicDefaults
  readonly #nodeIds: readonly number[]
  readonly #onMove: (log: PartitionLog) => void
  readonly #topics = new Map<string, Topic>()

  constructor(
    random: SeededRandom,
    nodeIds: readonly number[],
    topicDefaults: TopicDefaults,
    onMove: (log: PartitionLog) => void,
  ) {
    this.#defaults = topicDefaults
    this.#random = random
    this.#nodeIds = nodeIds
    this.#onMove = onMove
  }

  names(): string[] {
    return [...this.#topics.keys()]
  }

  partition(topic: string, partition: number): Partition | null {
    return this.#topics.get(topic)?.partitions[partition] ?? null
  }

  *partitions(): Generator<Partition> {
    for (const { partitions } of this.#topics.values()) yield* partitions
  }

  partitionsOf(topic: string): readonly Partition[] {
    return this.#topics.get(topic)?.partitions ?? []
  }

  isCompacted(topic: string): boolean {
    return this.#topics.get(topic)?.config.get('cleanup.policy')?.includes('compact') ?? false
  }

  config(topic: string, name: string): string | undefined {
    return this.#topics.get(topic)?.config.get(name)
  }

  maxMessageBytes(topic: string): number {
    return Number(this.#topics.get(topic)?.config.get('max.message.bytes'))
  }

  create({ name, partitionCount, replicationFactor, config }: NewTopic): TopicAnswer {
    const answer = (errorCode: number) => ({ name, errorCode, message: null })
    if (this.#topics.has(name)) return answer(k.TOPIC_ALREADY_EXISTS)
    if (partitionCount < 1) return answer(k.INVALID_PARTITIONS)
    if (replicationFactor > this.#nodeIds.length) return answer(k.INVALID_REPLICATION_FACTOR)
    const topic: Topic = {
      name,
      topicId: this.#random.id(),
      config: new Map([...this.#configured(), ...config.map((entry) => [entry.name, entry.value] as const)]),
      partitions: [],
    }
    this.#topics.set(name, topic)
    this.#addPartitions(topic, partitionCount)
    return answer(k.NONE)
  }

  #configured(): (readonly [string, string])[] {
    return [...defaults, ['max.message.bytes', String(this.#defaults.maxMessageBytes)]]
  }

  grow(name: string, partitionCount: number): TopicAnswer {
    const topic = this.#topics.get(name)
    if (topic === undefined) return { name, errorCode: k.UNKNOWN_TOPIC_OR_PARTITION, message: null }
    if (partitionCount <= topic.partitions.length)
      return { name, errorCode: k.INVALID_PARTITIONS, message: null }
    this.#addPartitions(topic, partitionCount)
    return { name, errorCode: k.NONE, message: null }
  }

  delete(name: string): number {
    const found = this.#topics.get(name)
    if (found === undefined) return k.UNKNOWN_TOPIC_OR_PARTITION
    this.#topics.delete(name)
    for (const { log } of found.partitions) this.#onMove(log)
    return k.NONE
  }

  describe(topic: string): Apis['DescribeConfigs']['answer'] {
    const found = this.#topics.get(topic)
    if (found === undefined) return { errorCode: k.UNKNOWN_TOPIC_OR_PARTITION, message: null, entries: [] }
    const entries = [...found.config].map(([name, value]) => ({ name, value }))
    return { errorCode: k.NONE, message: null, entries }
  }

  metadata(name: string, down: ReadonlySet<number>): Apis['Metadata']['answer']['topics'][number] {
    const found = this.#topics.get(name)
    if (found === undefined)
      return { errorCode: k.UNKNOWN_TOPIC_OR_PARTITION, name, topicId: null, partitions: [] }
    const partitions = found.partitions.map(({ partition, leaderId, leaderEpoch }) =>
      down.has(leaderId)
        ? { errorCode: k.LEADER_NOT_AVAILABLE, partition, leaderId: -1, leaderEpoch }
        : { errorCode: k.NONE, partition, leaderId, leaderEpoch },
    )
    return { errorCode: k.NONE, name, topicId: found.topicId, partitions }
  }

  #addPartitions(topic: Topic, partitionCount: number): void {
    for (let partition = topic.partitions.length; partition < partitionCount; partition++) {
      const log = new PartitionLog(topic.name, partition)
      log.segmentBatches = this.#defaults.segmentBatches
      log.onMove = () => this.#onMove(log)
      const leaderId = this.#random.pick(this.#nodeIds)
      topic.partitions.push({ topic: topic.name, partition, log, leaderId, leaderEpoch: 0 })
    }
  }
}
