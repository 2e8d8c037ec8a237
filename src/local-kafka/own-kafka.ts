import type { BrokerAddress } from './server-properties.ts'
import type { LocalBroker, LocalKafka, LocalKafkaSource, SaslSslAccess } from './types.ts'
import { unavailable } from './unavailable.ts'

interface OwnCluster {
  readonly source: LocalKafkaSource
  readonly addresses: readonly BrokerAddress[]
  readonly brokers: readonly LocalBroker[]
  readonly saslSsl: SaslSslAccess | null
  /** Called once. */
  close(): Promise<void>
}

/** A cluster that was started here. */
export function ownKafka({ source, addresses, brokers, saslSsl, close }: OwnCluster): LocalKafka {
  let closing: Promise<void> | null = null
  return {
    bootstrapServers: brokers.map(({ address }) => address).join(','),
    adminBootstrapServers: addresses
      .map(({ clientHost, internalPort }) => `${clientHost}:${internalPort}`)
      .join(','),
    source,
    brokers,
    saslSsl,
    broker(id) {
      const found = brokers.find((broker) => broker.id === id)
      if (found === undefined)
        throw unavailable(`Looking for broker ${id}`, `There are ${brokers.length} brokers, from 1.`)
      return found
    },
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** A cluster that somebody else runs: it can be used, not controlled. */
export function foreignKafka(bootstrapServers: string): LocalKafka {
  return {
    bootstrapServers,
    adminBootstrapServers: bootstrapServers,
    source: 'environment',
    brokers: [],
    saslSsl: null,
    broker(id) {
      throw unavailable(
        `Controlling broker ${id}`,
        'The brokers of KAFKA_BROKERS cannot be stopped, killed or started from here.',
        'Unset KAFKA_BROKERS, so that brokers of our own are started.',
      )
    },
    close: async () => {},
  }
}
