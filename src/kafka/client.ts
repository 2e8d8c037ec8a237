/** The Kafka port, above the wire: everything but connections and codecs. */
import { CodedError } from '../errors.ts'
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
import type { ApiName, Apis, SendOptions, Target, Wire } from './wire/wire.ts'

export interface KafkaClientOptions extends WireContext {
  /** How written records are compressed; every codec can be read. */
  readonly compression: Compression
}

/** A client over any wire: kafkajs's, or a simulated broker. It closes the wire when it is closed. */
export function createKafkaClient(options: KafkaClientOptions): KafkaClient {
  const { compression, clock, random, log } = options
  const wire = new ClosableWire(options.wire)
  const wireContext: WireContext = { wire, clock, random, log }
  const context: PortContext = {
    ...wireContext,
    cluster: new Cluster(wireContext),
    lanes: new Lanes(),
  }
  return new PortClient(context, compression)
}

/** After its end every request fails for good, so that whatever is being tried again ends too. */
class ClosableWire implements Wire {
  private readonly wire: Wire
  private isClosed = false

  constructor(wire: Wire) {
    this.wire = wire
  }

  async send<A extends ApiName>(
    target: Target,
    api: A,
    request: Apis[A]['request'],
    options: SendOptions,
  ): Promise<Apis[A]['answer']> {
    if (this.isClosed) throw new CodedError('INTERNAL', { operation: api, detail: 'The client was closed.' })
    return await this.wire.send(target, api, request, options)
  }

  async close(): Promise<void> {
    this.isClosed = true
    await this.wire.close()
  }
}

class PortClient implements KafkaClient {
  readonly admin: KafkaAdmin
  private readonly context: PortContext
  private readonly compression: Compression

  constructor(context: PortContext, compression: Compression) {
    this.context = context
    this.compression = compression
    this.admin = new Admin(context)
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
    await this.context.wire.close()
  }
}
