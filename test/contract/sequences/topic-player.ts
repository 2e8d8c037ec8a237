/** Topics: described, made, enlarged, deleted. */
import { kafkaError as k } from '../../../src/kafka/wire/wire.ts'
import { type Command, topicCount } from './commands.ts'
import { type Conversation, timeoutMs } from './conversation.ts'
import type { Names } from './names.ts'

/** The records are of long ago: without this they would be taken away, and every marker, being of now, would begin a segment. */
const keeping = [
  { name: 'retention.ms', value: '-1' },
  { name: 'segment.ms', value: '9223372036854775807' },
]

export class TopicPlayer {
  readonly #conversation: Conversation
  readonly #names: Names
  /** Those that are there, with their partition counts. */
  readonly #topics = new Map<string, number>()
  readonly #topicIds = new Map<string, string[]>()

  constructor(conversation: Conversation, names: Names) {
    this.#conversation = conversation
    this.#names = names
  }

  /** Leaves nothing behind. */
  async deleteAll(): Promise<void> {
    const topics = [...this.#topics.keys()]
    if (topics.length > 0) await this.#conversation.send('DeleteTopics', { topics, timeoutMs })
  }

  async metadata(topics: readonly number[]): Promise<void> {
    const answer = await this.#conversation.send('Metadata', {
      topics: topics.map((topic) => this.#names.topicName(topic)),
    })
    this.#conversation.answered('Metadata', () => {
      const described = answer.topics.map(({ errorCode, name, topicId, partitions }) => ({
        topic: this.#names.labelOfTopic(name),
        errorCode,
        topicId: topicId === null ? null : this.#labelOfTopicId(name, topicId),
        partitions: partitions
          .map(({ errorCode: code, partition, leaderId, leaderEpoch }) => ({
            partition,
            code,
            isLedByThisOne: leaderId === this.#conversation.nodeId,
            leaderEpoch,
          }))
          .toSorted((a, b) => a.partition - b.partition),
      }))
      return { topics: described.toSorted((a, b) => (a.topic < b.topic ? -1 : 1)) }
    })
  }

  #labelOfTopicId(name: string, topicId: string): string {
    const known = this.#topicIds.get(name) ?? []
    if (!known.includes(topicId)) known.push(topicId)
    this.#topicIds.set(name, known)
    return `incarnation ${known.indexOf(topicId)}`
  }

  async createTopics(
    topics: readonly { readonly topic: number; readonly count: number; readonly replicas: number }[],
  ): Promise<void> {
    const answer = await this.#conversation.send('CreateTopics', {
      topics: topics.map(({ topic, count, replicas }) => ({
        name: this.#names.topicName(topic),
        partitionCount: count,
        replicationFactor: replicas,
        config: keeping,
      })),
      timeoutMs,
    })
    for (const [index, { topic, count }] of topics.entries())
      if (answer.topics[index]?.errorCode === k.NONE) this.#topics.set(this.#names.topicName(topic), count)
    this.#conversation.answered('CreateTopics', () => ({
      codes: answer.topics.map(({ errorCode }) => errorCode),
    }))
    await this.#topicsAreKnown()
  }

  async createPartitions({ topic, count }: Extract<Command, { op: 'CreatePartitions' }>): Promise<void> {
    const request = { topic: this.#names.topicName(topic), partitionCount: count, timeoutMs }
    const answer = await this.#conversation.send('CreatePartitions', request)
    const [errorCode] = answer.topics.map((one) => one.errorCode)
    if (errorCode === k.NONE) this.#topics.set(this.#names.topicName(topic), count)
    this.#conversation.answered('CreatePartitions', () => ({ errorCode }))
    await this.#topicsAreKnown()
  }

  async deleteTopic(topic: number): Promise<void> {
    const name = this.#names.topicName(topic)
    const answer = await this.#conversation.send('DeleteTopics', { topics: [name], timeoutMs })
    const [errorCode] = answer.topics.map((one) => one.errorCode)
    if (errorCode === k.NONE) this.#topics.delete(name)
    this.#conversation.answered('DeleteTopics', () => ({ errorCode }))
    await this.#topicsAreKnown()
  }

  /** The controller has said yes; until the broker acts on it, it takes a moment. */
  async #topicsAreKnown(): Promise<void> {
    const names = Array.from({ length: topicCount }, (_, topic) => this.#names.topicName(topic))
    const partitions = names.flatMap((topic) =>
      [0, 1, 2].map((partition) => ({ topic, partition, timestamp: -1 })),
    )
    for (let attempts = 0; attempts < 1000; attempts++) {
      const listed = await this.#conversation.send('ListOffsets', { isolationLevel: 0, partitions })
      const { topics } = await this.#conversation.send('Metadata', { topics: names })
      const isServed = listed.partitions.every(
        ({ topic, partition, errorCode }) =>
          partition < (this.#topics.get(topic) ?? 0) === (errorCode === k.NONE),
      )
      if (
        isServed &&
        topics.every((topic) => topic.partitions.length === (this.#topics.get(topic.name) ?? 0))
      )
        return
      await this.#conversation.pass(3)
    }
  }
}
