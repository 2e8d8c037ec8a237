import { partitionRoles } from './commands.ts'

/** What the topics, partitions and ids of the commands are called on a broker. */
export class Names {
  readonly #prefix: string

  /** `prefix`: of all names, so that no other sequence has them. */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  get groupId(): string {
    return `${this.#prefix}-group`
  }

  transactionalId(id: number): string {
    return `${this.#prefix}-id-${id}`
  }

  labelOfTopic(name: string): string {
    return name.slice(this.#prefix.length + 1)
  }

  topicName(topic: number): string {
    return `${this.#prefix}-topic-${topic}`
  }

  partition(role: number): { topic: string; partition: number } {
    const { topic = 0, partition = 0 } = partitionRoles[role] ?? {}
    return { topic: this.topicName(topic), partition }
  }

  #labelOfPartition({ topic, partition }: { topic: string; partition: number }): string {
    return `${this.labelOfTopic(topic)}/${partition}`
  }

  byTopic(partitions: readonly number[]): { topic: string; partitions: number[] }[] {
    const topics = Map.groupBy(
      partitions.map((role) => this.partition(role)),
      ({ topic }) => topic,
    )
    return [...topics].map(([topic, list]) => ({ topic, partitions: list.map(({ partition }) => partition) }))
  }

  /** A description of partitions with their error codes, and what else the answer says of them. */
  describePartitions<P extends { topic: string; partition: number; errorCode: number }>(
    partitions: readonly P[],
    more: (partition: P) => Readonly<Record<string, unknown>> = () => ({}),
  ): Readonly<Record<string, unknown>> {
    const entries = partitions.map((partition): [string, unknown] => [
      this.#labelOfPartition(partition),
      { errorCode: partition.errorCode, ...more(partition) },
    ])
    // The order of partitions in an answer means nothing.
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
