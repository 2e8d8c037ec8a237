/**
 * Plays a sequence of commands on one broker and describes its answers so that two brokers can be compared.
 *
 *   1. A command is sent when the one before it has had all its effects: a coordinator that is loading, a transaction whose markers
 *      are on their way, a topic that is not yet known everywhere are waited for (by asking again), on both brokers alike.
 *   2. Descriptions name what each broker draws for itself (producer ids, member ids, topic ids) by the roles of the commands.
 */
import type { Command } from './commands.ts'
import { Conversation, type Step } from './conversation.ts'
import { GroupPlayer } from './group-player.ts'
import { Names } from './names.ts'
import type { Party } from './party.ts'
import { RecordPlayer } from './record-player.ts'
import type { Release } from './release.ts'
import { TopicPlayer } from './topic-player.ts'
import { TransactionPlayer } from './transaction-player.ts'

export class Player {
  readonly #conversation: Conversation
  readonly #transactions: TransactionPlayer
  readonly #records: RecordPlayer
  readonly #topics: TopicPlayer
  readonly #group: GroupPlayer

  constructor(party: Party, prefix: string, release: Release) {
    const names = new Names(prefix)
    this.#conversation = new Conversation(party)
    this.#transactions = new TransactionPlayer(this.#conversation, names, release)
    this.#records = new RecordPlayer(this.#conversation, names, release, (id) =>
      this.#transactions.labelOfProducer(id),
    )
    this.#topics = new TopicPlayer(this.#conversation, names)
    this.#group = new GroupPlayer(this.#conversation, names, release)
  }

  /** What both brokers begin with: coordinators, topics and two transactional ids. */
  async begin(): Promise<void> {
    // Kafka makes its own topics when somebody asks for a coordinator.
    for (const keyType of [0, 1] as const) await this.#transactions.findCoordinator(keyType)
    await this.#topics.createTopics([
      { topic: 0, count: 2, replicas: 1 },
      { topic: 1, count: 1, replicas: 1 },
    ])
    for (const id of [0, 1]) await this.#transactions.initProducerId(id, 60_000)
  }

  /** `predicted`: what the simulated broker has answered, for the real one. */
  step(command: Command, predicted: Step | null): Promise<Step> {
    return this.#conversation.step(() => this.#play(command), predicted)
  }

  async end(): Promise<void> {
    await this.#topics.deleteAll()
    await this.#conversation.close()
  }

  #play(command: Command): Promise<void> {
    switch (command.op) {
      case 'FindCoordinator':
        return this.#transactions.findCoordinator(command.keyType)
      case 'InitProducerId':
        return this.#transactions.initProducerId(command.id, command.timeoutMs)
      case 'AddPartitionsToTxn':
        return this.#transactions.addPartitions(command.by, command.partitions)
      case 'AddOffsetsToTxn':
        return this.#transactions.addOffsets(command.by)
      case 'TxnOffsetCommit':
        return this.#transactions.commitOffsets(command, this.#group.identity(command.from))
      case 'Produce':
        return this.#transactions.produce(command)
      case 'EndTxn':
        return this.#transactions.endTransaction(command.by, command.commit)
      case 'Fetch':
        return this.#records.fetch(command)
      case 'ListOffsets':
        return this.#records.listOffsets(command)
      case 'DeleteRecords':
        return this.#records.deleteRecords(command)
      case 'OffsetFetch':
        return this.#records.offsets(command.partitions, command.requireStable)
      case 'Metadata':
        return this.#topics.metadata(command.topics)
      case 'CreateTopics':
        return this.#topics.createTopics([command])
      case 'CreatePartitions':
        return this.#topics.createPartitions(command)
      case 'DeleteTopics':
        return this.#topics.deleteTopic(command.topic)
      case 'JoinGroup':
        return this.#group.join(command)
      case 'SyncGroup':
        return this.#group.sync(command.from)
      case 'Heartbeat':
        return this.#group.heartbeat(command.from)
      case 'LeaveGroup':
        return this.#group.leave(command.members)
      case 'Rebalance':
        return this.#group.rebalance()
      case 'DescribeGroups':
        return this.#group.describeGroup()
      case 'DeleteGroups':
        return this.#group.deleteGroup()
    }
  }
}
