import type { Clock } from '../../ports/clock.ts'
import type { KafkaClient, TopicPartition } from '../../ports/kafka.ts'
import { assertSameFingerprint, type Fingerprint } from '../runtime/fingerprint.ts'
import { assertSameTopic, type TopicCatalog } from '../runtime/topic-catalog.ts'
import type { CommitMeta } from '../store/types.ts'
import type { Topology } from '../topology/topology.ts'
import { lastMetas } from './changelog-tail.ts'

/**
 * What the changelogs of an application say has been counted, read from their ends. A start looks here before it joins the
 * group: an instance with other settings, or with a recreated input, must not disturb those that run.
 */
export class ChangelogSurvey {
  readonly #kafka: KafkaClient
  readonly #clock: Clock
  readonly #topology: Topology
  #metas: readonly CommitMeta[] = []

  constructor(kafka: KafkaClient, clock: Clock, topology: Topology) {
    this.#kafka = kafka
    this.#clock = clock
    this.#topology = topology
  }

  async refresh(catalog: TopicCatalog): Promise<void> {
    const metas: CommitMeta[] = []
    for (const { store } of this.#topology.subtopologies) {
      if (store === null) continue
      const topic = store.changelogTopic
      const found = await lastMetas(this.#kafka, this.#clock, topic, catalog.partitionCount(topic))
      metas.push(...found.values())
    }
    this.#metas = metas
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
  counted({ topic, partition }: TopicPartition): number | null {
    let counted: number | null = null
    for (const meta of this.#metas) {
      const offset = meta.counted[topic]?.[partition]
      if (offset !== undefined && (counted === null || offset > counted)) counted = offset
    }
    return counted
  }
}
