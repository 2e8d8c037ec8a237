import { afterEach, expect, test } from 'vitest'
import type { Outgoing, TransactionalProducer } from '../../src/ports/kafka.ts'
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

/** What a control record's key looks like: version 0, type 0 (abort). */
const markerLikeKey = Buffer.from([0, 0, 0, 0])

function login(user: string, locale: string): Buffer {
  const seconds = Math.floor(systemClock.now() / 1000)
  return Buffer.from(JSON.stringify({ user_id: user, locale, timestamp: seconds }))
}

async function producer(name: string): Promise<TransactionalProducer> {
  const { kafka, config } = application
  const created = kafka.producer({
    transactionalId: `${config.inputTopic}-${name}`,
    transactionTimeoutMs: 60_000,
  })
  await created.init()
  return created
}

function records(from: TransactionalProducer, count: number, locale: string, key: Buffer | null): Outgoing[] {
  const appender = from.appender()
  for (let i = 0; i < count; i++) appender.append(key, login(`${locale}-${i}`, locale), systemClock.now())
  return [{ partition: { topic: application.config.inputTopic, partition: 0 }, records: appender }]
}

test('nothing of aborted transactions is counted, however they overlap, and records with keys like markers are', async () => {
  application = new Application('aborted')
  await application.createInput(1)
  const good = await producer('good')
  const bad = await producer('bad')
  const ugly = await producer('ugly')
  for (let round = 0; round < 10; round++) {
    // bad and ugly are open at once, and good commits inside both.
    await bad.send(records(bad, 7, 'aborted', null))
    await ugly.send(records(ugly, 5, 'aborted', markerLikeKey))
    await good.send(records(good, 3, 'committed', markerLikeKey))
    await bad.send(records(bad, 2, 'aborted', markerLikeKey))
    await good.commit()
    if (round % 2 === 0) await bad.abort()
    await good.send(records(good, 4, 'committed', null))
    await ugly.abort()
    await good.commit()
    if (round % 2 === 1) await bad.abort()
  }
  const instance = application.start()
  const report = await expectExact(application, { valid: 70, invalid: 0 })
  // total, the locale, and `unknown` for the two dimensions that the logins lack: no row of an aborted login.
  expect(report.keys).toBe(4)
  expect(await instance.stop()).toBe(0)
})

test('a thousand bad records of every kind stand once in the dead-letter topic, unchanged, and stop nothing', async () => {
  application = new Application('bad-records')
  await application.createInput(2)
  const instance = application.start()
  const bad = await application.produceLogins(1000, { invalidShare: 1, seed: 5 })
  const big = Buffer.alloc(900_000, 'x')
  await application.produce([
    { value: big, timestamp: systemClock.now() },
    {
      value: Buffer.from('{"__proto__":{"user_id":"a"},"timestamp":1700000000}'),
      timestamp: systemClock.now(),
    },
    { value: null, key: Buffer.from('tombstone'), timestamp: systemClock.now() },
    { value: login('good', 'RU'), timestamp: systemClock.now() },
  ])
  await expectExact(application, { valid: 1, invalid: bad.length + 3 })
  expect(await instance.stop()).toBe(0)
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
