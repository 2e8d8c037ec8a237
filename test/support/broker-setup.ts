import type { TestProject } from 'vitest/node'
import { startLocalKafka } from '../../src/local-kafka/index.ts'

/** So that a test of compaction or retention need not wait for Kafka's leisure (15 s and 5 min). */
const config = { 'log.cleaner.backoff.ms': '500', 'log.retention.check.interval.ms': '1000' }

/** One broker for a whole run; topics and groups of a test have a unique prefix. KAFKA_VERSION asks for another version. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const version = process.env.KAFKA_VERSION
  const kafka = await startLocalKafka({
    config,
    ...(version === undefined ? {} : { version }),
    onProgress: (text) => console.log(text),
  })
  project.provide('kafkaBrokers', kafka.bootstrapServers)
  return () => kafka.close()
}

declare module 'vitest' {
  interface ProvidedContext {
    kafkaBrokers: string
  }
}
