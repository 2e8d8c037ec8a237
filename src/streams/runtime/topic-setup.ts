import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaAdmin, NewTopic, TopicInfo } from '../../ports/kafka.ts'
import { sourceTopics, type TopicRole, type Topology } from '../topology/topology.ts'
import { TopicCatalog, type TopicConfigs } from './topic-catalog.ts'

export interface TopicSettings {
  /** -1: the broker's own default. */
  readonly replicationFactor: number
  /** `min.insync.replicas`, or null: the broker's own default. */
  readonly minInsyncReplicas: number | null
  /** Partitions of the keyed stage, or null: those of the input at the first start. */
  readonly keyedPartitions: number | null
}

/** How long a topic must be missing in metadata to be taken for missing. */
const missingTopicMs = 5000
const missingTopicPollMs = 100

/** Topics that a role may be made with, and what an existing one must be. */
const configOf: Readonly<Record<Exclude<TopicRole, 'external'> | 'changelog', Record<string, string>>> = {
  'same-partitions-as-input': { 'cleanup.policy': 'delete' },
  table: { 'cleanup.policy': 'compact' },
  changelog: { 'cleanup.policy': 'compact' },
  // An unread partial must never expire; what has been read is purged.
  repartition: { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' },
}

interface PlannedTopic {
  readonly name: string
  readonly role: keyof typeof configOf
  readonly partitionCount: number
}

/** Every topic of a topology. */
export function topicNames(topology: Topology): string[] {
  const names = topology.subtopologies.flatMap(({ sources, sinks, store }) => [
    ...sources.map(({ topic }) => topic),
    ...sinks.map(({ topic }) => topic),
    ...(store === null ? [] : [store.changelogTopic]),
  ])
  return [...new Set(names)]
}

/**
 * Fresh metadata of topics that exist. A broker that has just started, or has not heard of a new topic yet, may leave one out: it is
 * believed only after a while. Throws TOPIC_MISSING.
 */
export async function knownTopics(
  admin: KafkaAdmin,
  clock: Clock,
  names: readonly string[],
): Promise<ReadonlyMap<string, TopicInfo>> {
  const deadline = clock.monotonic() + missingTopicMs
  for (;;) {
    const topics = await admin.topics(names)
    const missing = names.find((name) => !topics.has(name))
    if (missing === undefined) return topics
    if (clock.monotonic() >= deadline) {
      throw new CodedError('TOPIC_MISSING', { operation: 'look up topics', topic: missing })
    }
    await clock.sleep(missingTopicPollMs)
  }
}

/**
 * Makes the topics that are missing, and checks those that exist. Topics with the partitions of the input grow with it.
 * Throws TOPIC_MISSING for an external topic, TOPIC_MISMATCH for a topic of the wrong shape.
 */
export async function setUpTopics(
  admin: KafkaAdmin,
  clock: Clock,
  topology: Topology,
  settings: TopicSettings,
): Promise<TopicCatalog> {
  const names = topicNames(topology)
  for (;;) {
    const existing = await admin.topics(names)
    const configs = await makeOrCheck(admin, planTopics(topology, existing, settings), existing, settings)
    const topics = await knownTopics(admin, clock, names)
    // The input may have grown meanwhile; what goes along with it must not lag behind.
    if (inputPartitionCount(topology, topics) === inputPartitionCount(topology, existing)) {
      return new TopicCatalog(topics, configs)
    }
  }
}

async function makeOrCheck(
  admin: KafkaAdmin,
  planned: readonly PlannedTopic[],
  existing: ReadonlyMap<string, TopicInfo>,
  settings: TopicSettings,
): Promise<TopicConfigs> {
  const missing: NewTopic[] = []
  for (const topic of planned) {
    const found = existing.get(topic.name)
    if (found === undefined)
      missing.push(newTopic(topic.name, topic.partitionCount, settings, configOf[topic.role]))
    else await checkPartitions(admin, topic, found)
  }
  if (missing.length > 0) await admin.createTopics(missing)
  const configs = new Map<string, ReadonlyMap<string, string>>()
  for (const topic of planned) {
    const config = await admin.topicConfig(topic.name)
    checkConfig(topic, config)
    configs.set(topic.name, config)
  }
  return configs
}

/** A topic as the settings want every one that is made; `config` comes on top. */
export function newTopic(
  name: string,
  partitionCount: number,
  { replicationFactor, minInsyncReplicas }: Omit<TopicSettings, 'keyedPartitions'>,
  config: Readonly<Record<string, string>> = {},
): NewTopic {
  const minIsr = minInsyncReplicas === null ? {} : { 'min.insync.replicas': String(minInsyncReplicas) }
  return { name, partitionCount, replicationFactor, config: { ...config, ...minIsr } }
}

function planTopics(
  topology: Topology,
  existing: ReadonlyMap<string, TopicInfo>,
  settings: TopicSettings,
): PlannedTopic[] {
  const inputPartitions = inputPartitionCount(topology, existing)
  const keyedPartitions = keyedPartitionCount(topology, existing, settings) ?? inputPartitions
  const planned = new Map<string, PlannedTopic>()
  const plan = (name: string, role: TopicRole | 'changelog'): void => {
    if (role === 'external') return
    const partitionCount = role === 'same-partitions-as-input' ? inputPartitions : keyedPartitions
    planned.set(name, { name, role, partitionCount })
  }
  for (const { sources, sinks, store } of topology.subtopologies) {
    for (const { topic, role } of [...sources, ...sinks]) plan(topic, role)
    if (store !== null) plan(store.changelogTopic, 'changelog')
  }
  return [...planned.values()]
}

function inputPartitionCount(topology: Topology, existing: ReadonlyMap<string, TopicInfo>): number {
  return Math.max(
    ...sourceTopics(topology, 'external').map((topic) => {
      const found = existing.get(topic)
      if (found === undefined)
        throw new CodedError('TOPIC_MISSING', { operation: 'look for the input', topic })
      return found.partitionCount
    }),
  )
}

/** Fixed from the first start on: the partition count of the repartition topic or changelog, if one exists. */
function keyedPartitionCount(
  topology: Topology,
  existing: ReadonlyMap<string, TopicInfo>,
  { keyedPartitions }: TopicSettings,
): number | null {
  for (const { sources, store } of topology.subtopologies) {
    const internal = sources.filter(({ role }) => role === 'repartition').map(({ topic }) => topic)
    if (store !== null) internal.push(store.changelogTopic)
    for (const topic of internal) {
      const found = existing.get(topic)
      if (found === undefined) continue
      if (keyedPartitions !== null && keyedPartitions !== found.partitionCount) {
        throw new CodedError('FINGERPRINT_MISMATCH', {
          operation: 'check topics',
          topic,
          detail: `STATS_PARTITIONS is ${keyedPartitions}, the state was made with ${found.partitionCount}.`,
        })
      }
      return found.partitionCount
    }
  }
  return keyedPartitions
}

async function checkPartitions(admin: KafkaAdmin, topic: PlannedTopic, found: TopicInfo): Promise<void> {
  const { name, role, partitionCount } = topic
  if (role === 'same-partitions-as-input' && found.partitionCount < partitionCount) {
    await growTo(admin, name, partitionCount)
  } else if (found.partitionCount !== partitionCount) {
    throw mismatch(name, `${found.partitionCount} partitions`, `${partitionCount} partitions`)
  }
}

/** Another instance may do the same at the same time; what counts is that the partitions are there. */
async function growTo(admin: KafkaAdmin, name: string, partitionCount: number): Promise<void> {
  try {
    await admin.addPartitions(name, partitionCount)
  } catch (error) {
    const now = (await admin.topics([name])).get(name)?.partitionCount ?? 0
    if (now < partitionCount) throw error
  }
}

function checkConfig({ name, role }: PlannedTopic, config: ReadonlyMap<string, string>): void {
  // Whoever reads dead letters and enriched logins may keep them as they like.
  if (role === 'same-partitions-as-input') return
  for (const [setting, expected] of Object.entries(configOf[role])) {
    const actual = config.get(setting)
    if (actual !== expected) throw mismatch(name, `${setting}=${actual ?? ''}`, `${setting}=${expected}`)
  }
}

function mismatch(topic: string, found: string, expected: string): CodedError {
  return new CodedError('TOPIC_MISMATCH', {
    operation: 'check topics',
    topic,
    detail: `It has ${found}; ${expected} is expected.`,
  })
}
