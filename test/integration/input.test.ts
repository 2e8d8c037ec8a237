import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { readCommitted } from '../../src/verify/index.ts'
import { Application } from '../support/application.ts'
import { uniquePrefix } from '../support/broker.ts'
import { killAllInstances } from '../support/instance.ts'
import { expectExact } from '../support/oracle.ts'

let application: Application

afterEach(async () => {
  await killAllInstances()
  await application.close()
})

test('new partitions of the input are read from their start, by whichever instance gets them, and the topics beside it grow with it', async () => {
  application = new Application('growing', { ENRICHED_TOPIC: uniquePrefix('growing-enriched') })
  await application.createInput(1)
  const instances = [application.start(), application.start()]
  const before = await application.produceLogins(2000, { invalidShare: 0 })
  await expectExact(application, { valid: before.length, invalid: 0 })
  const { inputTopic, dlqTopic, enrichedTopic } = application.config
  await application.kafka.admin.addPartitions(inputTopic, 4)
  const after = await application.produceLogins(4000, { seed: 2, invalidShare: 0 })
  await expectExact(application, { valid: before.length + after.length, invalid: 0 })
  const topics = await application.kafka.admin.topics([dlqTopic ?? '', enrichedTopic ?? ''])
  expect([...topics.values()].map(({ partitionCount }) => partitionCount)).toEqual([4, 4])
  for (const instance of instances) expect(await instance.stop()).toBe(0)
})

test('a login that fits the input and not the enriched topic is counted, and enriched without its other fields', async () => {
  application = new Application('large', {
    ENRICHED_TOPIC: uniquePrefix('large-enriched'),
    COMPRESSION: 'none',
  })
  await application.createInput(1)
  const seconds = Math.floor(systemClock.now() / 1000)
  const filler = 'x'.repeat(1_048_300)
  const large = Buffer.from(JSON.stringify({ user_id: 'a', locale: 'RU', timestamp: seconds, filler }))
  await application.produce([{ value: large, timestamp: systemClock.now() }])
  const instance = application.start()
  await expectExact(application, { valid: 1, invalid: 0 })
  const found: string[] = []
  await readCommitted(
    { brokers: application.config.brokers },
    application.config.enrichedTopic ?? '',
    { clock: systemClock },
    (record) => found.push(String(record.value)),
  )
  expect(found.map((text) => JSON.parse(text))).toEqual([
    expect.objectContaining({ locale: 'RU', truncated: large.length, latency_ms: expect.any(Number) }),
  ])
  expect(await instance.stop()).toBe(0)
})
