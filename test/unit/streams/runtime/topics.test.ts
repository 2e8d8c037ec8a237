import { beforeEach, describe, expect, test } from 'vitest'
import type { KafkaAdmin, NewTopic, TopicInfo } from '../../../../src/ports/kafka.ts'
import { TopologyBuilder } from '../../../../src/streams/index.ts'
import { assertSameFingerprint } from '../../../../src/streams/runtime/fingerprint.ts'
import { TopicCatalog } from '../../../../src/streams/runtime/topic-catalog.ts'
import { setUpTopics } from '../../../../src/streams/runtime/topic-setup.ts'
import { systemClock } from '../../../../src/system/clock.ts'

const supplier = () => ({ process: () => {} })

const builder = new TopologyBuilder('app')
builder
  .subtopology()
  .source('logins', 'input')
  .processor('read', ['logins'], supplier)
  .sink('partials', 'app-repartition', { role: 'repartition', partitioning: 'key' })
  .sink('letters', 'dlq', { role: 'same-partitions-as-input', partitioning: 'source' })
builder
  .subtopology()
  .source('partials', 'app-repartition', 'repartition')
  .processor('count', ['partials'], supplier)
  .store('counts')
  .sink('table', 'table', { role: 'table', partitioning: 'key' })
const topology = builder.build()

const settings = { replicationFactor: -1, minInsyncReplicas: null, keyedPartitions: null }

/** A cluster in memory that knows just topics; what else an admin does is tested on a real broker. */
class Topics {
  readonly infos = new Map<string, TopicInfo>()
  readonly configs = new Map<string, Record<string, string>>()
  readonly created: NewTopic[] = []

  add(name: string, partitionCount: number, config: Record<string, string> = {}): void {
    this.infos.set(name, { name, partitionCount, topicId: `id-of-${name}` })
    this.configs.set(name, config)
  }

  get admin(): KafkaAdmin {
    const admin: Partial<KafkaAdmin> = {
      topics: async (names) => new Map([...this.infos].filter(([name]) => names.includes(name))),
      createTopics: async (topics) => {
        for (const topic of topics) {
          this.created.push(topic)
          this.add(topic.name, topic.partitionCount, topic.config)
        }
      },
      addPartitions: async (name, count) => this.add(name, count, this.configs.get(name)),
      topicConfig: async (name) => new Map(Object.entries(this.configs.get(name) ?? {})),
    }
    return admin as KafkaAdmin
  }
}

let topics: Topics

beforeEach(() => {
  topics = new Topics()
  topics.add('input', 4)
})

describe('setUpTopics', () => {
  test('makes what is missing, each with the partitions and the clean-up policy of its role', async () => {
    await setUpTopics(topics.admin, systemClock, topology, {
      ...settings,
      keyedPartitions: 2,
      minInsyncReplicas: 2,
    })
    const made = Object.fromEntries(topics.created.map((topic) => [topic.name, topic]))
    expect(made['app-repartition']).toMatchObject({ partitionCount: 2, config: { 'retention.ms': '-1' } })
    expect(made['app-counts-changelog']).toMatchObject({
      partitionCount: 2,
      config: { 'cleanup.policy': 'compact', 'min.insync.replicas': '2' },
    })
    expect(made.table).toMatchObject({ partitionCount: 2, config: { 'cleanup.policy': 'compact' } })
    expect(made.dlq).toMatchObject({ partitionCount: 4 })
  })

  test('keeps the partition count of the first start when the input grows, and lets the dead letters grow with it', async () => {
    await setUpTopics(topics.admin, systemClock, topology, settings)
    topics.add('input', 6)
    const catalog = await setUpTopics(topics.admin, systemClock, topology, settings)
    expect(catalog.partitionCount('app-repartition')).toBe(4)
    expect(catalog.partitionCount('table')).toBe(4)
    expect(catalog.partitionCount('dlq')).toBe(6)
  })

  test('refuses another STATS_PARTITIONS than that of the state', async () => {
    await setUpTopics(topics.admin, systemClock, topology, settings)
    await expect(
      setUpTopics(topics.admin, systemClock, topology, { ...settings, keyedPartitions: 8 }),
    ).rejects.toMatchObject({
      code: 'FINGERPRINT_MISMATCH',
      message: expect.stringContaining('STATS_PARTITIONS'),
    })
  })

  test('refuses a topic that is compacted and deleted', async () => {
    topics.add('table', 4, { 'cleanup.policy': 'compact,delete' })
    await expect(setUpTopics(topics.admin, systemClock, topology, settings)).rejects.toMatchObject({
      code: 'TOPIC_MISMATCH',
    })
  })
})

test('an input that grows while topics are set up does not leave the others behind', async () => {
  await setUpTopics(topics.admin, systemClock, topology, settings)
  const { admin } = topics
  let isGrown = false
  const growing: KafkaAdmin = {
    ...admin,
    topicConfig: async (name) => {
      if (!isGrown) topics.add('input', 6)
      isGrown = true
      return admin.topicConfig(name)
    },
  }
  const catalog = await setUpTopics(growing, systemClock, topology, settings)
  expect(catalog.partitionCount('input')).toBe(6)
  expect(catalog.partitionCount('dlq')).toBe(6)
})

describe('the topic catalog', () => {
  const catalog = (): TopicCatalog => new TopicCatalog(new Map(topics.infos), new Map())

  test('tells when partitions were added, until it has been told of them', () => {
    const known = catalog()
    expect(known.hasGrown(new Map(topics.infos))).toBe(false)
    topics.add('input', 5)
    expect(known.hasGrown(new Map(topics.infos))).toBe(true)
    expect(known.hasGrown(new Map(topics.infos))).toBe(true)
    known.adopt(catalog())
    expect(known.hasGrown(new Map(topics.infos))).toBe(false)
    expect(known.partitionCount('input')).toBe(5)
  })

  test('refuses a topic that has been made again', () => {
    const known = catalog()
    const again = new Map([['input', { name: 'input', partitionCount: 4, topicId: 'another' }]])
    expect(() => known.hasGrown(again)).toThrow(expect.objectContaining({ code: 'TOPIC_RECREATED' }))
  })

  test('names a topic that it does not know', () => {
    expect(() => catalog().partitionCount('nowhere')).toThrow(
      expect.objectContaining({ code: 'TOPIC_MISSING' }),
    )
  })
})

test('a fingerprint mismatch names every differing setting with both values', () => {
  expect(() => assertSameFingerprint({ A: '1', B: '2', C: '3' }, { A: '1', B: '5' })).toThrow(
    expect.objectContaining({
      code: 'FINGERPRINT_MISMATCH',
      message: expect.stringMatching(
        /B is 5, the state was made with 2; C is not set, the state was made with 3/,
      ),
    }),
  )
})
