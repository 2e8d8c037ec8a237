/** What the contract's tests do over and over: topics, records in, records out. */
import { CodedError, type ErrorCode } from '../../src/errors.ts'
import type { Compression } from '../../src/kafka/index.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type {
  Fetcher,
  FetcherOptions,
  GroupMember,
  GroupOptions,
  KafkaClient,
  MemberAssignment,
  TopicPartition,
  TransactionalProducer,
} from '../../src/ports/kafka.ts'

/** What the port is made of, for one run of the contract: a real broker, or a simulated one. */
export interface PortUnderTest {
  /** A client with connections of its own. */
  createClient(options?: { compression?: Compression }): KafkaClient
  /** A name that no other test uses. */
  uniqueName(name: string): string
  readonly clock: Clock
}

export interface SeenRecord {
  readonly offset: number
  readonly value: string | null
}

/** One test's view of a cluster; closes what it opened. */
export class PortScenario {
  readonly client: KafkaClient
  readonly port: PortUnderTest
  private readonly opened: (() => Promise<void>)[] = []

  constructor(port: PortUnderTest) {
    this.port = port
    this.client = this.newClient()
  }

  newClient(options?: { compression?: Compression }): KafkaClient {
    const client = this.port.createClient(options)
    this.opened.push(() => client.close())
    return client
  }

  async topic(partitionCount = 1, config: Record<string, string> = {}): Promise<string> {
    const name = this.port.uniqueName('topic')
    // The records carry fixed times of years ago: retention would take them away at its next look.
    const keeping = { 'retention.ms': '-1', ...config }
    await this.client.admin.createTopics([{ name, partitionCount, replicationFactor: -1, config: keeping }])
    return name
  }

  async partition(): Promise<TopicPartition> {
    return { topic: await this.topic(), partition: 0 }
  }

  async producer(
    client = this.client,
    transactionalId = this.port.uniqueName('transactional-id'),
  ): Promise<TransactionalProducer> {
    const producer = client.producer({ transactionalId, transactionTimeoutMs: 10_000 })
    await producer.init()
    return producer
  }

  fetcher(options?: FetcherOptions): Fetcher {
    const fetcher = this.client.fetcher(options)
    this.opened.push(() => fetcher.close())
    return fetcher
  }

  /** A member whose leader gives everybody all of `partitions`, unless told otherwise. */
  member(options: Partial<GroupOptions> & { groupId: string }, client = this.client): GroupMember {
    const member = client.member({
      instanceId: null,
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 6000,
      protocol: 'contract',
      topics: ['contract'],
      userData: async () => Buffer.alloc(0),
      assign: async (members) => new Map(members.map(({ memberId }) => [memberId, assignmentOf()])),
      ...options,
    })
    this.opened.push(() => member.close(true))
    return member
  }

  /** All that a `read_committed` reader sees from `offset` up to the last stable offset of now. */
  async read(partition: TopicPartition, offset = 0): Promise<SeenRecord[]> {
    const [end = 0] = await this.client.admin.listOffsets([partition], 'lastStable')
    const fetcher = this.client.fetcher()
    try {
      fetcher.seek(partition, offset)
      const seen: SeenRecord[] = []
      await this.until(() => {
        seen.push(...drain(fetcher))
        return fetcher.position(partition) >= end
      }, `${partition.topic} is read up to ${end}`)
      return seen
    } finally {
      await fetcher.close()
    }
  }

  async values(partition: TopicPartition, offset = 0): Promise<(string | null)[]> {
    return (await this.read(partition, offset)).map(({ value }) => value)
  }

  /** Waits for a condition; fails after `limitMs`. */
  async until(condition: () => boolean | Promise<boolean>, what: string, limitMs = 20_000): Promise<void> {
    const { clock } = this.port
    const deadline = clock.monotonic() + limitMs
    while (!(await condition())) {
      if (clock.monotonic() > deadline) throw new Error(`Waited ${limitMs} ms in vain: ${what}`)
      await clock.sleep(5)
    }
  }

  async close(): Promise<void> {
    for (const close of this.opened.reverse()) await close()
  }
}

/** Takes what has arrived; throws what stopped a partition. */
export function drain(fetcher: Fetcher): SeenRecord[] {
  const seen: SeenRecord[] = []
  fetcher.throwFailure()
  for (let chunk = fetcher.poll(); chunk !== null; chunk = fetcher.poll()) {
    for (let record = chunk.next(); record !== null; record = chunk.next()) {
      seen.push({ offset: record.offset, value: record.value()?.toString() ?? null })
    }
  }
  return seen
}

/** Sends `values` in the open transaction, or a new one; returns the offset after the last. */
export async function sendValues(
  producer: TransactionalProducer,
  partition: TopicPartition,
  values: readonly string[],
  key: Buffer | null = null,
): Promise<number> {
  const records = producer.appender()
  for (const value of values) records.append(key, Buffer.from(value), 1_700_000_000_000)
  const [endOffset = -1] = await producer.send([{ partition, records }])
  return endOffset
}

export function assignmentOf(...partitions: TopicPartition[]): MemberAssignment {
  return { partitions, userData: Buffer.alloc(0) }
}

/** The code with which `action` fails; null if it does not. */
export async function codeOf(action: () => unknown): Promise<ErrorCode | null> {
  try {
    await action()
    return null
  } catch (error) {
    if (error instanceof CodedError) return error.code
    throw error
  }
}
