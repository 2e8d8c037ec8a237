import type { TestProject } from 'vitest/node'
import { startLocalKafka } from '../../src/local-kafka/index.ts'

/** One broker for a whole run; topics and groups of a test have a unique prefix. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const kafka = await startLocalKafka({ onProgress: (text) => console.log(text) })
  project.provide('kafkaBrokers', kafka.bootstrapServers)
  return () => kafka.close()
}

declare module 'vitest' {
  interface ProvidedContext {
    kafkaBrokers: string
  }
}
