/** Making, growing, deleting and describing topics. The controller does it; the brokers hear of it a moment later. */
import { CodedError } from '../errors.ts'
import type { NewTopic, TopicInfo } from '../ports/kafka.ts'
import { brokerError } from './broker-errors.ts'
import { requestTimeoutMs } from './cluster.ts'
import type { PortContext } from './context.ts'
import { controlLane } from './lanes.ts'
import { retry } from './retry.ts'
import { type Apis, kafkaError } from './wire/wire.ts'

type ControllerApi = 'CreateTopics' | 'CreatePartitions' | 'DeleteTopics'

interface TopicAnswer {
  readonly name: string
  readonly errorCode: number
  readonly message?: string | null
}

export class TopicAdmin {
  private readonly context: PortContext
  private readonly deadlineMs: number

  constructor(context: PortContext, deadlineMs: number) {
    this.context = context
    this.deadlineMs = deadlineMs
  }

  async topics(names: readonly string[]): Promise<ReadonlyMap<string, TopicInfo>> {
    return await this.retried(async (timeoutMs) => {
      const { topics } = await this.context.cluster.metadata(names, timeoutMs)
      const found = new Map<string, TopicInfo>()
      for (const { name, errorCode, topicId, partitions } of topics) {
        if (errorCode === kafkaError.UNKNOWN_TOPIC_OR_PARTITION) continue
        if (errorCode !== kafkaError.NONE) {
          throw brokerError(errorCode, { operation: 'Metadata', topic: name })
        }
        found.set(name, { name, topicId, partitionCount: partitions.length })
      }
      return found
    })
  }

  async create(topics: readonly NewTopic[]): Promise<void> {
    const wanted = topics.map(({ config, ...topic }) => ({
      ...topic,
      config: Object.entries(config).map(([name, value]) => ({ name, value })),
    }))
    let open = wanted
    await this.retried(async (timeoutMs) => {
      if (open.length === 0) return
      const answer = await this.askController('CreateTopics', { topics: open, timeoutMs }, timeoutMs)
      open = open.filter(({ name }) => !isDone(answer.topics, name, kafkaError.TOPIC_ALREADY_EXISTS))
      refuse('CreateTopics', answer.topics, kafkaError.TOPIC_ALREADY_EXISTS)
    })
    await this.haveLeaders(topics.map(({ name }) => ({ name, partitionCount: null })))
  }

  async addPartitions(topic: string, partitionCount: number): Promise<void> {
    await this.retried(async (timeoutMs) => {
      // Asked first, so that a second try after a lost answer finds the work done.
      const info = (await this.topics([topic])).get(topic)
      if (info !== undefined && info.partitionCount >= partitionCount) return
      const request = { topic, partitionCount, timeoutMs }
      refuse(
        'CreatePartitions',
        (await this.askController('CreatePartitions', request, timeoutMs)).topics,
        null,
      )
    })
    await this.haveLeaders([{ name: topic, partitionCount }])
  }

  async delete(names: readonly string[]): Promise<void> {
    let open = names
    await this.retried(async (timeoutMs) => {
      if (open.length === 0) return
      const answer = await this.askController('DeleteTopics', { topics: open, timeoutMs }, timeoutMs)
      open = open.filter((name) => !isDone(answer.topics, name, kafkaError.UNKNOWN_TOPIC_OR_PARTITION))
      refuse('DeleteTopics', answer.topics, kafkaError.UNKNOWN_TOPIC_OR_PARTITION)
    })
    await this.retried(async () => {
      const [left] = (await this.topics(names)).values()
      if (left !== undefined) throw notYet(left.name, 'The topic is still being deleted.')
    })
  }

  async config(topic: string): Promise<ReadonlyMap<string, string>> {
    const { cluster, wire } = this.context
    return await this.retried(async (timeoutMs) => {
      await cluster.metadata([topic], timeoutMs)
      const options = { timeoutMs, lane: controlLane }
      const answer = await wire.send('bootstrap', 'DescribeConfigs', { topic }, options)
      if (answer.errorCode !== kafkaError.NONE) {
        throw brokerError(answer.errorCode, { operation: 'DescribeConfigs', topic, ...said(answer.message) })
      }
      return new Map(answer.entries.flatMap(({ name, value }) => (value === null ? [] : [[name, value]])))
    })
  }

  /** Waits until every partition has a leader, and the topic as many partitions as it should (null: any number). */
  private async haveLeaders(
    wanted: readonly { name: string; partitionCount: number | null }[],
  ): Promise<void> {
    if (wanted.length === 0) return
    await this.retried(async (timeoutMs) => {
      const names = wanted.map(({ name }) => name)
      const { topics } = await this.context.cluster.metadata(names, timeoutMs)
      for (const { name, partitionCount } of wanted) {
        const partitions = topics.find((topic) => topic.name === name)?.partitions ?? []
        if (partitions.length < (partitionCount ?? 1)) {
          throw notYet(name, 'The brokers do not know the new partitions yet.')
        }
        if (partitions.some(({ leaderId }) => leaderId < 0)) {
          throw notYet(name, 'A new partition has no leader yet.')
        }
      }
    })
  }

  private async askController<A extends ControllerApi>(
    api: A,
    request: Apis[A]['request'],
    timeoutMs: number,
  ): Promise<Apis[A]['answer']> {
    const { controllerId } = await this.context.cluster.metadata([], timeoutMs)
    const target = controllerId < 0 ? 'bootstrap' : controllerId
    return await this.context.wire.send(target, api, request, { timeoutMs, lane: controlLane })
  }

  private async retried<T>(attempt: (timeoutMs: number) => Promise<T>): Promise<T> {
    const deadline = this.context.clock.monotonic() + this.deadlineMs
    return await retry(this.context, { deadline, idempotent: true }, (remainingMs) =>
      attempt(Math.min(remainingMs, requestTimeoutMs)),
    )
  }
}

function isDone(answers: readonly TopicAnswer[], name: string, fine: number): boolean {
  const answer = answers.find((candidate) => candidate.name === name)
  return answer !== undefined && (answer.errorCode === kafkaError.NONE || answer.errorCode === fine)
}

/** Throws for the first topic whose error is not `fine`. */
function refuse(operation: string, answers: readonly TopicAnswer[], fine: number | null): void {
  for (const { name, errorCode, message } of answers) {
    if (errorCode === kafkaError.NONE || errorCode === fine) continue
    throw brokerError(errorCode, { operation, topic: name, ...said(message) })
  }
}

function said(message: string | null | undefined): { detail: string } | object {
  return message === null || message === undefined ? {} : { detail: message }
}

function notYet(topic: string, detail: string): CodedError {
  return new CodedError('KAFKA_RETRIABLE', { operation: 'wait for the brokers', topic, detail })
}
