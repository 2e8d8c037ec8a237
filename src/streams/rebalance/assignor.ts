import {
  type GroupMemberInfo,
  type MemberAssignment,
  partitionsOf,
  type TopicPartition,
} from '../../ports/kafka.ts'
import { differingSettings, type Fingerprint } from '../runtime/fingerprint.ts'
import type { TopicCatalog } from '../runtime/topic-catalog.ts'
import { formatTaskId, parseTaskId } from '../topology/task-id.ts'
import { sourceTopics, type Topology } from '../topology/topology.ts'
import { planAssignment } from './assignment-plan.ts'
import { decodeMemberMetadata, encodeAssignmentMetadata, type MemberMetadata } from './member-metadata.ts'
import { compareIds, type PlanMember, type PlanSettings, type PlanTask } from './plan-types.ts'

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

export interface AssignorSettings extends PlanSettings {
  /** How much work a task of a subtopology is beside those of others, by its id; 1 if absent. */
  readonly weights?: ReadonlyMap<number, number>
}

/** The leader's part of a rebalance: an assignment for every member, by member id. */
export function assignTasks(
  topology: Topology,
  catalog: TopicCatalog,
  members: readonly GroupMemberInfo[],
  settings: AssignorSettings,
): ReadonlyMap<string, MemberAssignment> {
  const known = members
    .toSorted((a, b) => compareIds(a.memberId, b.memberId))
    .map(({ memberId, userData }) => ({ memberId, metadata: decodeMemberMetadata(userData) }))
  const fingerprint = groupFingerprint(known.map(({ metadata }) => metadata))
  const fitting = known.filter(({ metadata }) => isSame(metadata.fingerprint, fingerprint))
  const plan = planAssignment(
    planTasks(topology, catalog, settings),
    fitting.map(({ memberId, metadata }) => planMember(memberId, metadata)),
    settings,
  )
  const partitions = sourcePartitions(topology, catalog)
  const { acceptableLag } = settings
  return new Map(
    known.map(({ memberId, metadata: { version } }) => {
      const mine = plan.members.get(memberId)
      const { activeTasks = [], standbyTasks = [], awaitedTasks = [] } = mine ?? {}
      const verdict = mine === undefined ? { groupFingerprint: fingerprint } : { partitions }
      const userData = encodeAssignmentMetadata(version, {
        ...verdict,
        standbyTasks,
        awaitedTasks,
        acceptableLag,
      })
      return [memberId, { partitions: inputPartitionsOf(topology, catalog, activeTasks), userData }]
    }),
  )
}

function planTasks(topology: Topology, catalog: TopicCatalog, { weights }: AssignorSettings): PlanTask[] {
  const stateful = new Set(topology.subtopologies.filter(({ store }) => store !== null).map(({ id }) => id))
  return allTasks(topology, catalog).flatMap((id) => {
    const { subtopology } = parseTaskId(id) ?? {}
    if (subtopology === undefined) return []
    return [
      { id, subtopology, isStateful: stateful.has(subtopology), weight: weights?.get(subtopology) ?? 1 },
    ]
  })
}

function planMember(memberId: string, metadata: MemberMetadata): PlanMember {
  const { version, ownedTasks, standbyTasks, storedTasks, storeLags } = metadata
  return {
    memberId,
    // A member that names no process stands for one of its own.
    processId: metadata.processId ?? memberId,
    ownedTasks,
    standbyTasks,
    storeLags: new Map(storedTasks.map((task) => [task, storeLags[task] ?? Number.POSITIVE_INFINITY])),
    takesStandbys: version >= 2,
  }
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
function inputPartitionsOf(
  topology: Topology,
  catalog: TopicCatalog,
  tasks: readonly string[],
): TopicPartition[] {
  const wanted = new Set(tasks)
  return topology.subtopologies.flatMap(({ id, sources }) =>
    sources.flatMap(({ topic }) =>
      partitionsOf(topic, catalog.partitionCount(topic)).filter(({ partition }) =>
        wanted.has(formatTaskId({ subtopology: id, partition })),
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
