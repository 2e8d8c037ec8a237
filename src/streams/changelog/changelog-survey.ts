import type { Clock } from '../../ports/clock.ts'
import { type KafkaClient, partitionsOf, type TopicPartition } from '../../ports/kafka.ts'
import { assertSameFingerprint, type Fingerprint } from '../runtime/fingerprint.ts'
import { assertSameTopic, type TopicCatalog } from '../runtime/topic-catalog.ts'
import type { CommitMeta } from '../store/types.ts'
import { type Topology, upstreamSources } from '../topology/topology.ts'
import { lastMetas } from './changelog-tail.ts'
import { unreadPartials } from './unread-partials.ts'

type Counted = CommitMeta['counted']

/**
 * What the changelogs of an application say has been counted, read from their ends. A start looks here before it joins the
 * group: an instance with other settings, or with a recreated input, must not disturb those that run.
 */
export class ChangelogSurvey {
  readonly #kafka: KafkaClient
  readonly #clock: Clock
  readonly #topology: Topology
  #metas: readonly CommitMeta[] = []
  /** Partitions of repartition topics that no store has counted from, with the sources of what stands there. */
  #uncounted: readonly { partitions: readonly TopicPartition[]; sourceTopics: readonly string[] }[] = []

  constructor(kafka: KafkaClient, clock: Clock, topology: Topology) {
    this.#kafka = kafka
    this.#clock = clock
    this.#topology = topology
  }

  async refresh(catalog: TopicCatalog): Promise<void> {
    const metas: CommitMeta[] = []
    const uncounted: { partitions: readonly TopicPartition[]; sourceTopics: readonly string[] }[] = []
    for (const subtopology of this.#topology.subtopologies) {
      const { sources, store } = subtopology
      if (store === null) continue
      const topic = store.changelogTopic
      const found = await lastMetas(this.#kafka, this.#clock, topic, catalog.partitionCount(topic))
      metas.push(...found.values())
      const partitions = sources
        .filter(({ role }) => role === 'repartition')
        .flatMap((source) => partitionsOf(source.topic, catalog.partitionCount(source.topic)))
        .filter(({ partition }) => !found.has(partition))
      uncounted.push({ partitions, sourceTopics: upstreamSources(this.#topology, subtopology) })
    }
    this.#metas = metas
    this.#uncounted = uncounted
  }

  /** Throws FINGERPRINT_MISMATCH, TOPIC_RECREATED. */
  assertFits(fingerprint: Fingerprint, catalog: TopicCatalog): void {
    for (const meta of this.#metas) {
      assertSameFingerprint(meta.fingerprint, fingerprint)
      const ids = catalog.ids(Object.keys(meta.topicIds))
      for (const [topic, id] of Object.entries(meta.topicIds)) assertSameTopic(topic, id, ids[topic])
    }
  }

  /** Up to which offset (exclusive) some store has counted an input partition at the last refresh; null if never. */
  counted(input: TopicPartition): number | null {
    return highest(
      this.#metas.map(({ counted }) => counted),
      input,
    )
  }

  /** The same of the partials that wait where no store had counted yet. Throws KAFKA_RETRIABLE where somebody begins to count meanwhile. */
  async waiting(input: TopicPartition): Promise<number | null> {
    const unread: Counted[] = []
    for (const { partitions, sourceTopics } of this.#uncounted) {
      unread.push(...(await unreadPartials(this.#kafka, this.#clock, partitions, sourceTopics)))
    }
    return highest(unread, input)
  }
}

function highest(known: readonly Counted[], { topic, partition }: TopicPartition): number | null {
  let highest: number | null = null
  for (const counted of known) {
    const offset = counted[topic]?.[partition]
    if (offset !== undefined && (highest === null || offset > highest)) highest = offset
  }
  return highest
}
