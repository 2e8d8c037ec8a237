/** The Kafka port, above the wire: everything but connections and codecs. */
import type {
  Fetcher,
  FetcherOptions,
  GroupMember,
  GroupOptions,
  KafkaAdmin,
  KafkaClient,
  TransactionalProducer,
} from '../ports/kafka.ts'
import { Admin } from './admin.ts'
import { Cluster } from './cluster.ts'
import type { PortContext, WireContext } from './context.ts'
import { PartitionFetcher } from './fetcher.ts'
import { ConsumerGroupMember } from './group-member.ts'
import { Lanes } from './lanes.ts'
import type { Compression } from './records/compression.ts'
import { Producer } from './transactional-producer.ts'

export interface KafkaClientOptions extends WireContext {
  /** How written records are compressed; every codec can be read. */
  readonly compression: Compression
}

/** A client over any wire: kafkajs's, or a simulated broker. It closes the wire when it is closed. */
export function createKafkaClient(options: KafkaClientOptions): KafkaClient {
  const { compression, wire, clock, random, log } = options
  const wireContext: WireContext = { wire, clock, random, log }
  const context: PortContext = {
    ...wireContext,
    cluster: new Cluster(wireContext),
    lanes: new Lanes(),
  }
  return new PortClient(context, compression)
}

class PortClient implements KafkaClient {
  readonly admin: KafkaAdmin
  private readonly context: PortContext
  private readonly compression: Compression
  private readonly ownAdmin: Admin

  constructor(context: PortContext, compression: Compression) {
    this.context = context
    this.compression = compression
    this.ownAdmin = new Admin(context)
    this.admin = this.ownAdmin
  }

  fetcher(options: FetcherOptions = {}): Fetcher {
    return new PartitionFetcher(this.context, options)
  }

  producer(options: { transactionalId: string; transactionTimeoutMs: number }): TransactionalProducer {
    return new Producer(this.context, { ...options, compression: this.compression })
  }

  member(options: GroupOptions): GroupMember {
    return new ConsumerGroupMember(this.context, options)
  }

  async close(): Promise<void> {
    this.ownAdmin.close()
    await this.context.wire.close()
  }
}
