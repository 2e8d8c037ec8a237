import { CodedError } from '../errors.ts'
import { type Environment, environment } from '../system/environment.ts'
import { startDockerCluster } from './docker-cluster.ts'
import { startJvmCluster } from './jvm-cluster.ts'
import { foreignKafka } from './own-kafka.ts'
import type { LocalKafka, LocalKafkaOptions, LocalKafkaSource } from './types.ts'
import { unavailable } from './unavailable.ts'

export { type KafkaToolOptions, runKafkaTool } from './kafka-tool.ts'
export * from './types.ts'

const allSources: readonly LocalKafkaSource[] = ['environment', 'docker', 'maven']

/**
 * A real Kafka for tests, demo and benchmarks: the one of KAFKA_BROKERS if set; else brokers in Docker if its
 * engine answers; else Apache Kafka from Maven Central as child processes. Resolves when it serves. What is started here ends
 * with this process at the latest, however that ends. LOCAL_KAFKA_UNAVAILABLE if nothing of the three works,
 * with the reason of each.
 */
export async function startLocalKafka(options: LocalKafkaOptions = {}): Promise<LocalKafka> {
  const sources = options.sources ?? allSources
  const given = bootstrapServersOf(environment())
  if (sources.includes('environment') && given !== null) return foreignKafka(given)

  const reasons: string[] = []
  for (const [source, start] of [
    ['docker', startDockerCluster],
    ['maven', startJvmCluster],
  ] as const) {
    if (!sources.includes(source)) continue
    options.signal?.throwIfAborted()
    try {
      const kafka = await start(options)
      options.onProgress?.(`Kafka is up at ${kafka.bootstrapServers}`)
      return kafka
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== 'LOCAL_KAFKA_UNAVAILABLE') throw error
      reasons.push(`[${source}] ${error.details.operation}: ${error.details.detail ?? ''}`)
    }
  }
  if (sources.includes('environment')) reasons.unshift('[environment] KAFKA_BROKERS is not set.')
  throw unavailable('Looking for a local Kafka', reasons.join(' '))
}

function bootstrapServersOf(variables: Environment): string | null {
  return variables.KAFKA_BROKERS || variables.KAFKA_BOOTSTRAP_SERVERS || null
}
