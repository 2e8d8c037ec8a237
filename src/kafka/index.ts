/** The Kafka port on kafkajs. */
import type { Clock } from '../ports/clock.ts'
import type { KafkaClient } from '../ports/kafka.ts'
import type { Log } from '../ports/log.ts'
import type { Random } from '../ports/random.ts'
import { createKafkaClient } from './client.ts'
import type { Compression } from './records/compression.ts'
import { createKafkajsWire } from './wire/kafkajs-wire.ts'

export { createKafkaClient, type KafkaClientOptions } from './client.ts'
export type { Compression } from './records/compression.ts'

type WireOptions = Parameters<typeof createKafkajsWire>[0]

export interface ConnectOptions extends Omit<WireOptions, 'clock' | 'log'> {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly compression: Compression
}

/** A client on kafkajs's connections. Connects when it is first used. */
export function connectKafka(options: ConnectOptions): KafkaClient {
  const { clock, random, log, compression, ...connection } = options
  const wire = createKafkajsWire({ ...connection, clock, log })
  return createKafkaClient({ wire, clock, random, log, compression })
}
