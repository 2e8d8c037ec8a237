import type { GroupMemberInfo, MemberAssignment, TopicPartition } from '../../ports/kafka.ts'
import { differingSettings, type Fingerprint } from '../runtime/fingerprint.ts'
import type { TopicCatalog } from '../runtime/topic-catalog.ts'
import { formatTaskId } from '../topology/task-id.ts'
import { sourceTopics, type Topology } from '../topology/topology.ts'
import { planAssignment } from './assignment-plan.ts'
import { decodeMemberMetadata, encodeAssignmentMetadata, type MemberMetadata } from './member-metadata.ts'

/** All tasks of a topology: as many per subtopology as its widest source topic has partitions. */
export function allTasks(topology: Topology, catalog: TopicCatalog): string[] {
  return topology.subtopologies.flatMap(({ id, sources }) => {
    const partitionCount = Math.max(...sources.map(({ topic }) => catalog.partitionCount(topic)))
    return Array.from({ length: partitionCount }, (_, partition) =>
      formatTaskId({ subtopology: id, partition }),
    )
  })
}

/** Partition counts of all source topics. */
export function sourcePartitions(topology: Topology, catalog: TopicCatalog): Record<string, number> {
  return Object.fromEntries(sourceTopics(topology).map((topic) => [topic, catalog.partitionCount(topic)]))
}

/** The leader's part of a rebalance: an assignment for every member, by member id. */
export function assignTasks(
  topology: Topology,
  catalog: TopicCatalog,
  members: readonly GroupMemberInfo[],
): ReadonlyMap<string, MemberAssignment> {
  const known = members.map(({ memberId, userData }) => ({
    memberId,
    metadata: decodeMemberMetadata(userData),
  }))
  const fingerprint = groupFingerprint(known.map(({ metadata }) => metadata))
  const fitting = known.filter(({ metadata }) => isSame(metadata.fingerprint, fingerprint))
  const plan = planAssignment(
    allTasks(topology, catalog),
    fitting.map(({ memberId, metadata: { ownedTasks, storedTasks } }) => ({
      memberId,
      ownedTasks,
      storedTasks,
    })),
  )
  const partitions = sourcePartitions(topology, catalog)
  return new Map(
    members.map(({ memberId }) => {
      const tasks = plan.get(memberId)
      const userData = encodeAssignmentMetadata(
        tasks === undefined ? { groupFingerprint: fingerprint } : { partitions },
      )
      return [memberId, { partitions: partitionsOf(topology, catalog, tasks ?? []), userData }]
    }),
  )
}

/** The fingerprint of those who hold tasks, lest a newcomer with other settings takes the group over. */
function groupFingerprint(members: readonly MemberMetadata[]): Fingerprint {
  const holder = members.find(({ ownedTasks }) => ownedTasks.length > 0) ?? members[0]
  return holder?.fingerprint ?? {}
}

function isSame(a: Fingerprint, b: Fingerprint): boolean {
  return differingSettings(a, b).length === 0
}

/** The input partitions of tasks: what Kafka's own tools show as the assignment. */
function partitionsOf(topology: Topology, catalog: TopicCatalog, tasks: readonly string[]): TopicPartition[] {
  const wanted = new Set(tasks)
  return topology.subtopologies.flatMap(({ id, sources }) =>
    sources.flatMap(({ topic }) =>
      Array.from({ length: catalog.partitionCount(topic) }, (_, partition) => ({ topic, partition })).filter(
        ({ partition }) => wanted.has(formatTaskId({ subtopology: id, partition })),
      ),
    ),
  )
}

/** The tasks that an assignment of partitions means. */
export function tasksOf(topology: Topology, partitions: readonly TopicPartition[]): string[] {
  const tasks = new Set<string>()
  for (const { id, sources } of topology.subtopologies) {
    for (const { topic, partition } of partitions) {
      if (sources.some((source) => source.topic === topic))
        tasks.add(formatTaskId({ subtopology: id, partition }))
    }
  }
  return [...tasks]
}
