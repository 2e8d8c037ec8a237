import { connectKafka } from '../../src/kafka/index.ts'
import { systemClock } from '../../src/system/clock.ts'
import { createLogger } from '../../src/system/logger.ts'
import { systemRandom } from '../../src/system/random.ts'
import { bootstrapServers, uniquePrefix } from '../support/broker.ts'
import { describeKafkaPortContract } from './kafka-port-contract.ts'

const prefix = uniquePrefix('port')
let names = 0

describeKafkaPortContract('a real broker', {
  createClient: ({ compression = 'none' } = {}) =>
    connectKafka({
      bootstrapServers: [bootstrapServers()],
      clientId: 'contract',
      clock: systemClock,
      random: systemRandom,
      log: createLogger({ level: 'silent' }),
      compression,
    }),
  uniqueName: (name) => `${prefix}-${name}-${names++}`,
  clock: systemClock,
})
