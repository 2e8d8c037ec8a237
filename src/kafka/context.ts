/** What every part of the port is given. */
import type { Clock } from '../ports/clock.ts'
import type { TopicPartition } from '../ports/kafka.ts'
import type { Log } from '../ports/log.ts'
import type { Random } from '../ports/random.ts'
import type { Cluster } from './cluster.ts'
import type { Lanes } from './lanes.ts'
import type { Wire } from './wire/wire.ts'

export interface WireContext {
  readonly wire: Wire
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface PortContext extends WireContext {
  readonly cluster: Cluster
  readonly lanes: Lanes
}

/** Identifies a partition in maps. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** Partition lists grouped by topic, as most requests want them. */
export function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of partitions) {
    const list = topics.get(topic)
    if (list === undefined) topics.set(topic, [partition])
    else list.push(partition)
  }
  return [...topics].map(([topic, list]) => ({ topic, partitions: list }))
}
