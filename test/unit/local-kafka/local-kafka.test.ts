import { afterEach, expect, test, vi } from 'vitest'
import { startLocalKafka } from '../../../src/local-kafka/index.ts'

afterEach(() => vi.unstubAllEnvs())

test('KAFKA_BROKERS goes before everything; such brokers cannot be controlled', async () => {
  vi.stubEnv('KAFKA_BROKERS', 'one:9092,two:9092')
  const kafka = await startLocalKafka()
  expect(kafka).toMatchObject({ source: 'environment', bootstrapServers: 'one:9092,two:9092', brokers: [] })
  expect(() => kafka.broker(1)).toThrowError(expect.objectContaining({ code: 'LOCAL_KAFKA_UNAVAILABLE' }))
  await kafka.close()
})

test('where nothing can be had, one error says why for each, and what to install', async () => {
  vi.stubEnv('KAFKA_BROKERS', '')
  vi.stubEnv('KAFKA_BOOTSTRAP_SERVERS', '')
  vi.stubEnv('JAVA_HOME', '/nowhere')
  const error: Error = await startLocalKafka({ sources: ['environment', 'maven'] }).catch(
    (failure) => failure,
  )
  expect(error).toMatchObject({ code: 'LOCAL_KAFKA_UNAVAILABLE', behaviour: 'stop' })
  expect(error.message).toContain('[environment] KAFKA_BROKERS is not set')
  expect(error.message).toContain('[maven] Starting Apache Kafka: Java 17 or later was not found')
  expect(error.message).toMatch(/Hint: .*Docker.*Java 17.*Maven.*KAFKA_BROKERS/)
})
