/** What the engine needs of Kafka's administration; everything here may be asked again, so all of it is retried. */
import { CodedError, coded } from '../errors.ts'
import type {
  ConsumerOffset,
  GroupDescription,
  KafkaAdmin,
  NewTopic,
  TopicInfo,
  TopicPartition,
} from '../ports/kafka.ts'
import { brokerError } from './broker-errors.ts'
import { groupKey, requestTimeoutMs } from './cluster.ts'
import { decodeAssignment, decodeSubscription } from './consumer-protocol.ts'
import { type PortContext, partitionKey } from './context.ts'
import { lastOffsets, missingInAnswer, stableOffsets } from './group-offsets.ts'
import { controlLane } from './lanes.ts'
import { Backoff, retry } from './retry.ts'
import { TopicAdmin } from './topic-admin.ts'
import { type Apis, kafkaError } from './wire/wire.ts'

/** For how long one call asks on before it gives up. */
export const adminDeadlineMs = 30_000
const waitingReportMs = 3000

const earliestTimestamp = -2
const endTimestamp = -1

interface PartitionAnswer {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
}

export class Admin implements KafkaAdmin {
  private readonly context: PortContext
  private readonly topicAdmin: TopicAdmin

  constructor(context: PortContext) {
    this.context = context
    this.topicAdmin = new TopicAdmin(context, adminDeadlineMs)
  }

  async clusterId(onWaiting?: (cause: Error, waitedMs: number) => void): Promise<string> {
    const { clock, cluster, random } = this.context
    const backoff = new Backoff(random)
    const startedAt = clock.monotonic()
    let reportedAt = startedAt
    for (;;) {
      try {
        const { clusterId } = await cluster.metadata([], requestTimeoutMs)
        if (clusterId !== null) return clusterId
        throw brokerError(kafkaError.BROKER_NOT_AVAILABLE, {
          operation: 'Metadata',
          detail: 'It has no cluster id.',
        })
      } catch (error) {
        const failure = coded(error, 'Metadata')
        const passing = failure.behaviour === 'retry' || failure.code === 'OUTCOME_UNKNOWN'
        if (!passing) throw failure
        const now = clock.monotonic()
        if (now - reportedAt >= waitingReportMs) {
          reportedAt = now
          onWaiting?.(failure, now - startedAt)
        }
      }
      await clock.sleep(backoff.next())
    }
  }

  async topics(names: readonly string[]): Promise<ReadonlyMap<string, TopicInfo>> {
    return await this.topicAdmin.topics(names)
  }

  async createTopics(topics: readonly NewTopic[]): Promise<void> {
    await this.topicAdmin.create(topics)
  }

  async addPartitions(topic: string, partitionCount: number): Promise<void> {
    await this.topicAdmin.addPartitions(topic, partitionCount)
  }

  async deleteTopics(names: readonly string[]): Promise<void> {
    await this.topicAdmin.delete(names)
  }

  async topicConfig(topic: string): Promise<ReadonlyMap<string, string>> {
    return await this.topicAdmin.config(topic)
  }

  async listOffsets(
    partitions: readonly TopicPartition[],
    which: 'earliest' | 'highWatermark' | 'lastStable',
  ): Promise<number[]> {
    const isolationLevel = which === 'lastStable' ? 1 : 0
    const timestamp = which === 'earliest' ? earliestTimestamp : endTimestamp
    const offsets = new Map<string, number>()
    await this.askLeaders('ListOffsets', partitions, async (nodeId, group, timeoutMs) => {
      const request = { isolationLevel, partitions: group.map((p) => ({ ...p, timestamp })) } as const
      const options = { timeoutMs, lane: controlLane }
      const answer = await this.context.wire.send(nodeId, 'ListOffsets', request, options)
      for (const partition of answer.partitions) {
        if (partition.errorCode === kafkaError.NONE) offsets.set(partitionKey(partition), partition.offset)
      }
      return answer.partitions
    })
    return partitions.map((partition) => {
      const offset = offsets.get(partitionKey(partition))
      if (offset === undefined) throw missingInAnswer('ListOffsets', partition)
      return offset
    })
  }

  async deleteRecords(
    below: readonly { readonly partition: TopicPartition; readonly offset: number }[],
  ): Promise<void> {
    const wanted = below.map(({ partition, offset }) => ({ ...partition, offset }))
    await this.askLeaders('DeleteRecords', wanted, async (nodeId, partitions, timeoutMs) => {
      const options = { timeoutMs, lane: controlLane }
      const request = { partitions: [...partitions], timeoutMs }
      return (await this.context.wire.send(nodeId, 'DeleteRecords', request, options)).partitions
    })
  }

  async describeGroup(groupId: string): Promise<GroupDescription> {
    const answer = await this.askGroup(groupId, 'DescribeGroups', { groupId })
    const { state, members } = answer ?? { state: 'Dead', members: [] }
    return {
      state,
      members: members.map(({ memberId, clientId, clientHost, metadata, assignment }) => ({
        ...{ memberId, clientId, clientHost },
        userData: metadata.length === 0 ? metadata : decodeSubscription(metadata).userData,
        assignment: decodeAssignment(assignment),
      })),
    }
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.askGroup(groupId, 'DeleteGroups', { groupId })
  }

  async committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<(ConsumerOffset | null)[]> {
    return await stableOffsets(this.context, groupId, partitions)
  }

  async groupOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<(ConsumerOffset | null)[]> {
    return await lastOffsets(this.context, groupId, partitions)
  }

  /** Asks the leaders of all partitions; those that met a passing trouble are asked again. */
  private async askLeaders<P extends TopicPartition>(
    operation: string,
    partitions: readonly P[],
    ask: (nodeId: number, partitions: readonly P[], timeoutMs: number) => Promise<readonly PartitionAnswer[]>,
  ): Promise<void> {
    const { clock, cluster } = this.context
    let open = partitions
    const deadline = clock.monotonic() + adminDeadlineMs
    await retry(this.context, { deadline, idempotent: true }, async (remainingMs) => {
      const timeoutMs = Math.min(remainingMs, requestTimeoutMs)
      const groups = await cluster.byLeader(open, timeoutMs)
      const failures = new Map<string, CodedError>()
      const askOne = async (nodeId: number, group: readonly P[]) => {
        const answered = await answersOf(operation, () => ask(nodeId, group, timeoutMs))
        for (const partition of group) {
          const failure = failureOf(operation, partition, answered)
          if (failure === null) continue
          cluster.forgetLeader(partition)
          failures.set(partitionKey(partition), failure)
        }
      }
      await Promise.all([...groups].map(([nodeId, group]) => askOne(nodeId, group)))
      open = open.filter((partition) => failures.has(partitionKey(partition)))
      const failed = [...failures.values()]
      const worst = failed.find((failure) => failure.behaviour === 'stop') ?? failed[0]
      if (worst !== undefined) throw worst
    })
  }

  /** Asks the group's coordinator; null if there is no such group. */
  private async askGroup<A extends 'DescribeGroups' | 'DeleteGroups'>(
    groupId: string,
    api: A,
    request: Apis[A]['request'],
  ): Promise<Apis[A]['answer'] | null> {
    const { clock, cluster } = this.context
    const group = groupKey(groupId)
    const deadline = clock.monotonic() + adminDeadlineMs
    return await retry(this.context, { deadline, idempotent: true }, async (remainingMs) => {
      const options = { timeoutMs: Math.min(remainingMs, requestTimeoutMs), lane: controlLane }
      const answer = await cluster.toCoordinator(group, api, request, options)
      if (answer.errorCode === kafkaError.GROUP_ID_NOT_FOUND) return null
      if (answer.errorCode !== kafkaError.NONE) throw cluster.coordinatorError(group, answer.errorCode, api)
      return answer
    })
  }
}

async function answersOf(
  operation: string,
  ask: () => Promise<readonly PartitionAnswer[]>,
): Promise<readonly PartitionAnswer[] | CodedError> {
  try {
    return await ask()
  } catch (error) {
    return coded(error, operation)
  }
}

function failureOf(
  operation: string,
  { topic, partition }: TopicPartition,
  answered: readonly PartitionAnswer[] | CodedError,
): CodedError | null {
  if (answered instanceof CodedError) return answered
  const answer = answered.find((candidate) => candidate.topic === topic && candidate.partition === partition)
  if (answer === undefined) return missingInAnswer(operation, { topic, partition })
  if (answer.errorCode === kafkaError.NONE) return null
  return brokerError(answer.errorCode, { operation, topic, partition })
}
