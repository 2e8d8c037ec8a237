/** The table client: what it answers is what is committed, it says how old that is, and it survives brokers and topics that go and come. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type LocalKafka, startLocalKafka } from '../../src/local-kafka/index.ts'
import { type KeyedRow, LoginStatsTable, type RowChange } from '../../src/login-stats/table/index.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { HttpClient, withHttp } from '../support/http-client.ts'
import { killAllInstances } from '../support/instance.ts'
import { rowOf, WrittenTable } from '../support/written-table.ts'

let kafka: LocalKafka
beforeAll(async () => {
  kafka = await startLocalKafka({ sources: ['maven'] })
})
afterAll(() => kafka.close())
afterEach(async () => {
  await killAllInstances()
  await cleanUpAll()
})

async function until(
  what: string,
  fits: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = systemClock.monotonic() + timeoutMs
  while (!(await fits())) {
    if (systemClock.monotonic() > deadline) throw new Error(`did not come: ${what}`)
    await systemClock.sleep(20)
  }
}

async function start(settings: Readonly<Record<string, string>> = {}): Promise<Application> {
  const application = new Application('table', { KAFKA_BROKERS: kafka.bootstrapServers, ...settings })
  cleanUpLater(() => application.close())
  await application.createInput(2)
  return application
}

async function open(application: Application, options: object = {}): Promise<LoginStatsTable> {
  const { outputTopic: topic, brokers } = application.config
  const table = await LoginStatsTable.open({ brokers, topic, ...options })
  cleanUpLater(() => table.close())
  return table
}

async function rowsOf(table: LoginStatsTable, dimension?: string): Promise<KeyedRow[]> {
  const rows: KeyedRow[] = []
  for await (const row of table.entries(dimension)) rows.push(row)
  return rows
}

test('answers by key, by dimension and in order, tells each change, and knows how old it is', async () => {
  const application = await start()
  const first = await application.produceLogins(3000)
  application.start()
  await application.counted()
  const table = await open(application)
  const validFirst = first.filter(({ valid }) => valid).length
  expect((await table.get('total'))?.count).toBe(validFirst)
  expect(await table.get('locale:nowhere')).toBeNull()
  const locales = await rowsOf(table, 'locale')
  expect(locales.reduce((sum, { count }) => sum + count, 0)).toBe(validFirst)
  expect(table.keyCounts.get('locale')).toBe(locales.length)
  const byCount = locales.map(({ count }) => count).sort((a, b) => b - a)
  expect((await table.top('locale', 5)).map(({ count }) => count)).toEqual(byCount.slice(0, 5))
  expect((await table.least('locale', 5)).map(({ count }) => count)).toEqual(byCount.reverse().slice(0, 5))
  expect(table.position.size).toBe(2)
  expect(table.failure).toBeNull()
  expect(table.ageMs).toBeLessThan(5000)
  const changes: RowChange[] = []
  table.on('change', (change) => void changes.push(change))
  const second = await application.produceLogins(1000, { seed: 2, batch: 100 })
  const validAll = validFirst + second.filter(({ valid }) => valid).length
  await until('the new logins', async () => (await table.get('total'))?.count === validAll)
  const totals = changes.flatMap(({ key, row }) => (key === 'total' && row !== null ? [row.count] : []))
  expect(totals).toEqual(totals.toSorted((a, b) => a - b))
  expect(totals.at(-1)).toBe(validAll)
})

test('a topic that is not there is an error of opening', async () => {
  const open = LoginStatsTable.open({ brokers: kafka.bootstrapServers, topic: 'no-such-table' })
  await expect(open).rejects.toMatchObject({ code: 'TOPIC_MISSING' })
})

test('more rows than memory shall take are on disk, with the same answers, and nothing is left there', async () => {
  const application = await start()
  await application.produceLogins(3000)
  application.start()
  await application.counted()
  const directory = mkdtempSync(join(tmpdir(), 'table-client-'))
  cleanUpLater(async () => rmSync(directory, { recursive: true, force: true }))
  const inMemory = await open(application)
  const { outputTopic: topic, brokers } = application.config
  const onDisk = await LoginStatsTable.open({ brokers, topic, maxRowsInMemory: 10, directory })
  expect(readdirSync(directory)).toEqual([expect.stringMatching(/^table-/)])
  const byKey = (a: KeyedRow, b: KeyedRow) => (a.key < b.key ? -1 : 1)
  expect((await rowsOf(onDisk)).sort(byKey)).toEqual((await rowsOf(inMemory)).sort(byKey))
  expect(await onDisk.top('locale', 7)).toEqual(await inMemory.top('locale', 7))
  expect(onDisk.size).toBe(inMemory.size)
  await application.produceLogins(500, { seed: 3 })
  await application.counted()
  const total = async (table: LoginStatsTable) => (await table.get('total'))?.count
  await until(
    'both are the same again',
    async () => (await total(onDisk)) === (await total(inMemory)) && (await total(onDisk)) !== undefined,
  )
  await onDisk.close()
  expect(readdirSync(directory)).toEqual([])
})

test('a broker that is away only makes it older, here and over HTTP; then it goes on', async () => {
  const application = await start({ ...withHttp })
  await application.produceLogins(1000)
  const instance = application.start()
  await application.counted()
  const table = await open(application)
  const client = await HttpClient.of(instance)
  await client.json('/api/table/total')
  const before = await table.get('total')
  await kafka.broker(1).stop()
  await until('it grows older', () => (table.ageMs ?? 0) > 3000)
  expect(table.isComplete).toBe(true)
  expect(await table.get('total')).toEqual(before)
  const { row, age_ms } = await client.json<{ row: KeyedRow; age_ms: number }>('/api/table/total')
  expect(row).toEqual(before)
  expect(age_ms).toBeGreaterThan(2000)
  expect((await client.get('/livez')).status).toBe(200)
  await kafka.broker(1).start()
  await until('it is young again', () => (table.ageMs ?? Number.POSITIVE_INFINITY) < 3000, 60_000)
  const more = await application.produceLogins(300, { seed: 5 })
  const count = (before?.count ?? 0) + more.filter(({ valid }) => valid).length
  await until('it goes on', async () => (await table.get('total'))?.count === count, 60_000)
  await client.until<{ row?: KeyedRow }>(
    '/api/table/total',
    ({ row: found }) => found?.count === count,
    60_000,
  )
})

test('a topic that is made anew is read from its start, and nothing of the old one stays', async () => {
  const application = await start()
  const { admin } = application.kafka
  const topic = application.config.outputTopic
  const config = { 'cleanup.policy': 'compact' }
  const row = (key: string, count: number) => {
    const [dimension, value = key] = key.split(':')
    const at = '2023-09-12T01:10:04.000Z'
    return { dimension, value, count, rolling: {}, first_seen: at, last_seen: at, as_of: at }
  }
  const write = async (rows: readonly (readonly [key: string, count: number])[]) => {
    const producer = application.kafka.producer({
      transactionalId: `${topic}-writer`,
      transactionTimeoutMs: 10_000,
    })
    await producer.init()
    const records = producer.appender()
    for (const [key, count] of rows)
      records.append(Buffer.from(key), Buffer.from(JSON.stringify(row(key, count))), 0)
    await producer.send([{ partition: { topic, partition: 0 }, records }])
    await producer.commit()
    producer.close()
  }
  await admin.createTopics([{ name: topic, partitionCount: 1, replicationFactor: 1, config }])
  await write([
    ['locale:RU', 1],
    ['locale:DE', 2],
  ])
  const table = await open(application)
  let restarts = 0
  table.on('restart', () => void restarts++)
  // A commit is answered before readers of committed records may see it.
  await until('both rows', () => table.size === 2)
  await admin.deleteTopics([topic])
  await systemClock.sleep(500)
  await admin.createTopics([{ name: topic, partitionCount: 1, replicationFactor: 1, config }])
  // Longer than the old one, so that its position would be one of the new topic's too.
  await write([
    ['locale:FR', 5],
    ['locale:IT', 6],
    ['locale:ES', 7],
    ['locale:PT', 8],
  ])
  await until('the new rows alone', async () => {
    return (
      table.isComplete &&
      (await rowsOf(table))
        .map(({ value }) => value)
        .sort()
        .join() === 'ES,FR,IT,PT'
    )
  })
  expect(restarts).toBeGreaterThan(0)
})

test('who asks for rows on disk while the table is started over, or after it was closed, is told so', async () => {
  const application = await start()
  const written = new WrittenTable(application)
  await written.create()
  await written.write(Array.from({ length: 2000 }, (_, at) => rowOf(`locale:${at}`, at)))
  const table = await open(application, { maxRowsInMemory: 10 })
  const codes = new Set<unknown>()
  let isDone = false
  const asking = Array.from({ length: 10 }, async () => {
    while (!isDone) {
      const question = table.isComplete ? table.top('locale', 3) : table.get('locale:1999')
      await question.catch((error: { code: unknown }) => codes.add(error.code))
      await systemClock.yield()
    }
  })
  await application.kafka.admin.addPartitions(application.config.outputTopic, 2)
  await until('it is read anew', () => table.restarts > 0 && table.isComplete)
  isDone = true
  await Promise.all(asking)
  expect([...codes]).toEqual(['TABLE_NOT_READ'])
  expect((await table.top('locale', 1))[0]?.count).toBe(1999)
  await table.close()
  await expect(table.top('locale', 1)).rejects.toMatchObject({ code: 'TABLE_NOT_READ' })
  await expect(table.get('total')).rejects.toMatchObject({ code: 'TABLE_NOT_READ' })
})
