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

/** The enriched logins of the only record of an input, which is counted: keys and values. */
async function enriched(record: { key: Buffer | null; value: Buffer }) {
  await application.createInput(1)
  await application.produce([{ ...record, timestamp: systemClock.now() }])
  const instance = application.start()
  await expectExact(application, { valid: 1, invalid: 0 })
  const found: { key: Buffer | null; login: unknown }[] = []
  await readCommitted(
    { brokers: application.config.brokers },
    application.config.enrichedTopic ?? '',
    { clock: systemClock },
    ({ key, value }) => found.push({ key, login: JSON.parse(String(value)) }),
  )
  expect(await instance.stop()).toBe(0)
  return found
}

const settingsOfLarge = () => ({ ENRICHED_TOPIC: uniquePrefix('large-enriched'), COMPRESSION: 'none' })
const smallLogin = { user_id: 'a', locale: 'RU', timestamp: Math.floor(systemClock.now() / 1000) }

test('a login that fits the input and not the enriched topic is counted, and enriched without its other fields', async () => {
  application = new Application('large', settingsOfLarge())
  const value = Buffer.from(JSON.stringify({ ...smallLogin, filler: 'x'.repeat(1_048_300) }))
  expect(await enriched({ key: Buffer.from('k'), value })).toEqual([
    {
      key: Buffer.from('k'),
      login: expect.objectContaining({
        locale: 'RU',
        truncated: value.length,
        latency_ms: expect.any(Number),
      }),
    },
  ])
})

test('a login whose key leaves no room in the enriched topic is counted, and enriched without the key', async () => {
  application = new Application('large-key', settingsOfLarge())
  const value = Buffer.from(JSON.stringify(smallLogin))
  expect(await enriched({ key: Buffer.alloc(1_048_350, 'k'), value })).toEqual([
    {
      key: null,
      login: expect.objectContaining({
        locale: 'RU',
        truncated: value.length,
        latency_ms: expect.any(Number),
      }),
    },
  ])
})
