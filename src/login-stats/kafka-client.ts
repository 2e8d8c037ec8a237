import { connectKafka } from '../kafka/index.ts'
import type { Log } from '../ports/log.ts'
import { systemClock } from '../system/clock.ts'
import { systemRandom } from '../system/random.ts'
import { type Config, kafkaSecurity } from './config/index.ts'

/** The Kafka client of a configuration. */
export function kafkaOf(config: Config, log: Log, clientId: string): ReturnType<typeof connectKafka> {
  return connectKafka({
    bootstrapServers: config.brokers,
    clientId,
    ...kafkaSecurity(config),
    clock: systemClock,
    random: systemRandom,
    log,
    compression: config.compression,
  })
}
