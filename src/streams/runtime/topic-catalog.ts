import { CodedError } from '../../errors.ts'
import type { TopicInfo } from '../../ports/kafka.ts'

/** Effective configuration by topic, of the topics that the application made or checked. */
export type TopicConfigs = ReadonlyMap<string, ReadonlyMap<string, string>>

/** Kafka's own defaults, where a broker does not tell. */
const defaultMaxMessageBytes = 1_048_588
const defaultDeleteRetentionMs = 86_400_000
/** Larger batches bring nothing. */
const goodBatchBytes = 900_000
/** What a record may take beyond what its batch is measured by before it is added. */
const batchRoomBytes = 128

/** The topics of the application as last seen: partition counts, topic ids, and their configuration at the start. */
export class TopicCatalog {
  #topics: ReadonlyMap<string, TopicInfo>
  #configs: TopicConfigs

  constructor(topics: ReadonlyMap<string, TopicInfo>, configs: TopicConfigs) {
    this.#topics = topics
    this.#configs = configs
  }

  /** The largest record batch that the topic takes, in bytes. */
  maxRecordBytes(topic: string): number {
    return Number(this.#configs.get(topic)?.get('max.message.bytes') ?? defaultMaxMessageBytes)
  }

  /** How large batches for the topic are made: what it takes, but not more than is good. */
  maxBatchBytes(topic: string): number {
    return Math.min(goodBatchBytes, this.maxRecordBytes(topic) - batchRoomBytes)
  }

  /** For how long a compacted topic keeps deletions, in ms. */
  deleteRetentionMs(topic: string): number {
    return Number(this.#configs.get(topic)?.get('delete.retention.ms') ?? defaultDeleteRetentionMs)
  }

  /** Throws TOPIC_MISSING. */
  get(topic: string): TopicInfo {
    const info = this.#topics.get(topic)
    if (info === undefined) throw new CodedError('TOPIC_MISSING', { operation: 'look up a topic', topic })
    return info
  }

  partitionCount(topic: string): number {
    return this.get(topic).partitionCount
  }

  /** Topic ids by name, of those topics that have one. */
  ids(topics: readonly string[]): Record<string, string> {
    const ids: Record<string, string> = {}
    for (const topic of topics) {
      const { topicId } = this.get(topic)
      if (topicId !== null) ids[topic] = topicId
    }
    return ids
  }

  /** Whether fresh metadata knows more partitions than we do. Throws TOPIC_RECREATED. */
  hasGrown(topics: ReadonlyMap<string, TopicInfo>): boolean {
    let hasGrown = false
    for (const [name, before] of this.#topics) {
      const now = topics.get(name)
      assertSameTopic(name, before.topicId, now?.topicId)
      if (now !== undefined && now.partitionCount > before.partitionCount) hasGrown = true
    }
    return hasGrown
  }

  /** Takes what another catalog knows. */
  adopt(fresh: TopicCatalog): void {
    this.#topics = fresh.#topics
    this.#configs = fresh.#configs
  }
}

/** Throws TOPIC_RECREATED where both ids are known and differ. */
export function assertSameTopic(
  topic: string,
  before: string | null | undefined,
  now: string | null | undefined,
): void {
  if (before == null || now == null || before === now) return
  throw new CodedError('TOPIC_RECREATED', {
    operation: 'compare topic ids',
    topic,
    detail: `The state was counted from the topic with id ${before}; the topic of that name now has id ${now}.`,
  })
}
