import type { Clock } from '../../ports/clock.ts'
import { type KafkaClient, partitionsOf, type TopicPartition } from '../../ports/kafka.ts'
import { assertSameFingerprint, type Fingerprint } from '../runtime/fingerprint.ts'
import { assertSameTopic, type TopicCatalog } from '../runtime/topic-catalog.ts'
import type { CommitMeta } from '../store/types.ts'
import { type Topology, upstreamSources } from '../topology/topology.ts'
import { lastMetas } from './changelog-tail.ts'
import { unreadPartials } from './unread-partials.ts'

/**
 * What the changelogs of an application say has been counted, read from their ends; where one says nothing yet, also what the partials
 * say that wait to be counted. A start looks here before it joins the
 * group: an instance with other settings, or with a recreated input, must not disturb those that run.
 */
export class ChangelogSurvey {
  readonly #kafka: KafkaClient
  readonly #clock: Clock
  readonly #topology: Topology
  #metas: readonly CommitMeta[] = []
  /** By topic and partition, as in a meta record. */
  #unread: readonly CommitMeta['counted'][] = []

  constructor(kafka: KafkaClient, clock: Clock, topology: Topology) {
    this.#kafka = kafka
    this.#clock = clock
    this.#topology = topology
  }

  async refresh(catalog: TopicCatalog): Promise<void> {
    const metas: CommitMeta[] = []
    const unread: CommitMeta['counted'][] = []
    for (const subtopology of this.#topology.subtopologies) {
      const { sources, store } = subtopology
      if (store === null) continue
      const topic = store.changelogTopic
      const found = await lastMetas(this.#kafka, this.#clock, topic, catalog.partitionCount(topic))
      metas.push(...found.values())
      const upstream = upstreamSources(this.#topology, subtopology)
      for (const source of sources.filter(({ role }) => role === 'repartition')) {
        const partitions = partitionsOf(source.topic, catalog.partitionCount(source.topic))
        const uncounted = partitions.filter(({ partition }) => !found.has(partition))
        unread.push(...(await unreadPartials(this.#kafka, this.#clock, uncounted, upstream)))
      }
    }
    this.#metas = metas
    this.#unread = unread
  }

  /** Throws FINGERPRINT_MISMATCH, TOPIC_RECREATED. */
  assertFits(fingerprint: Fingerprint, catalog: TopicCatalog): void {
    for (const meta of this.#metas) {
      assertSameFingerprint(meta.fingerprint, fingerprint)
      const ids = catalog.ids(Object.keys(meta.topicIds))
      for (const [topic, id] of Object.entries(meta.topicIds)) assertSameTopic(topic, id, ids[topic])
    }
  }

  /** Up to which offset (exclusive) some store has counted an input partition at the last refresh, or will count it; null if never. */
  counted({ topic, partition }: TopicPartition): number | null {
    let counted: number | null = null
    for (const known of [...this.#metas.map((meta) => meta.counted), ...this.#unread]) {
      const offset = known[topic]?.[partition]
      if (offset !== undefined && (counted === null || offset > counted)) counted = offset
    }
    return counted
  }
}
