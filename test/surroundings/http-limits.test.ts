/** What an instance takes upon itself for those who ask it over HTTP is limited; within the limits, and after them, its answers are right. */
import { readdirSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeKeyPart } from '../../src/login-stats/domain/dimensions.ts'
import type { GeneratedLogin } from '../../src/login-stats/generator/login-generator.ts'
import { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import type { ChangedRows, Row, Rows, Summary } from '../../src/login-stats/http/api-schemas.ts'
import type { KeyedRow } from '../../src/login-stats/table/index.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { bootstrapServers } from '../support/broker.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import type { HttpClient } from '../support/http-client.ts'
import { openTableServer } from '../support/table-server.ts'
import { type Fate, FatePlan } from '../support/tcp-proxy/fate.ts'
import type { Frame } from '../support/tcp-proxy/frames.ts'
import { KafkaProxy } from '../support/tcp-proxy/kafka-proxy.ts'
import { rowOf, WrittenTable } from '../support/written-table.ts'

const dimensions = ['locale', 'app_version', 'locale+device_type']
let application: Application
let written: WrittenTable

beforeEach(async () => {
  application = new Application('limits', { DIMENSIONS: dimensions.join(',') })
  cleanUpLater(() => application.close())
  written = new WrittenTable(application)
})
afterEach(cleanUpAll)

async function until(what: string, fits: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = systemClock.monotonic() + 30_000
  while (!(await fits())) {
    if (systemClock.monotonic() > deadline) throw new Error(`did not come: ${what}`)
    await systemClock.sleep(20)
  }
}

/** What an answer that refuses says; it must be as the API's own description has it. */
async function refusal(client: HttpClient, path: string, answer: Response): Promise<string> {
  expect(answer.status).toBe(503)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  const body = (await answer.json()) as { error: { code: string; message: string } }
  const { paths } = await client.json<{
    paths: Record<string, { get: { responses: Record<string, { content: Record<string, unknown> }> } }>
  }>('/openapi.json')
  const content = paths[path]?.get.responses['503']?.content['application/json']
  const { schema } = content as { schema: object }
  expect(new Ajv2020({ strict: false }).validate(schema, body)).toBe(true)
  expect(body.error.message).not.toBe('')
  return body.error.code
}

/** Begins to follow the events. Returns the answer, and how to go. */
async function follow(client: HttpClient): Promise<{ answer: Response; leave: () => void }> {
  const controller = new AbortController()
  const leave = () => controller.abort()
  cleanUpLater(leave)
  return { answer: await client.get('/api/stream', { signal: controller.signal }), leave }
}

test('a hundred clients follow the events; the next one is refused until one goes, and nothing stays of those that went', async () => {
  await written.create()
  const { client, followed } = await openTableServer(application)
  const { table } = await followed.begin()
  const others = table.listenerCount('restart')
  const clients = await Promise.all(Array.from({ length: 100 }, () => follow(client)))
  expect(clients.map(({ answer }) => answer.status)).toEqual(clients.map(() => 200))
  for (let refused = 0; refused < 5; refused++) {
    const { answer } = await follow(client)
    expect(await refusal(client, '/api/stream', answer)).toBe('TOO_MANY_CLIENTS')
  }
  expect(table.listenerCount('change')).toBe(100)
  clients[0]?.leave()
  let later = await follow(client)
  await until('a place', async () => {
    if (later.answer.status !== 200) later = await follow(client)
    return later.answer.status === 200
  })
  expect(await client.text('/metrics')).toMatch(/^login_stats_stream_clients 100$/m)
  for (const { leave } of [...clients, later]) leave()
  await until('all are gone', () => table.listenerCount('change') === 0)
  expect(table.listenerCount('restart')).toBe(others)
})

/** Counts the requests that pass. */
class CountingPlan extends FatePlan {
  requests = 0

  override fateOf(frame: Frame): Fate {
    if (frame.direction === 'request') this.requests += 1
    return super.fateOf(frame)
  }
}

test('the table is followed only while somebody asks; the first question after that is answered with what is there now', async () => {
  await written.create()
  await written.write([rowOf('locale:DE', 1), rowOf('locale:FR', 2), rowOf('total', 3)])
  const random = new Xoshiro128(1)
  const plan = new CountingPlan(random)
  const proxy = await KafkaProxy.start(bootstrapServers(), plan, random)
  cleanUpLater(() => proxy.close())
  const limits = { idleMs: 1000, rowsInMemory: 1 }
  const { client, followed, directory } = await openTableServer(application, {
    limits,
    brokers: proxy.bootstrapServers,
  })
  const countOf = async (key: string) => (await client.json<{ row: Row }>(`/api/table/${key}`)).row.count
  /** Whether Kafka was asked for anything within a second. */
  const isFollowed = async (): Promise<boolean> => {
    const before = plan.requests
    await systemClock.sleep(1000)
    return plan.requests > before
  }
  expect(await isFollowed()).toBe(false)
  expect(await countOf('total')).toBe(3)
  expect(readdirSync(directory)).toHaveLength(1)
  const release = followed.hold()
  await systemClock.sleep(2 * limits.idleMs)
  expect(await isFollowed()).toBe(true)
  // Who follows the events asks all the time.
  const { leave } = await follow(client)
  release()
  await systemClock.sleep(2 * limits.idleMs)
  expect(await isFollowed()).toBe(true)
  leave()
  await until('nobody follows', async () => !(await isFollowed()))
  expect(readdirSync(directory)).toEqual([])
  await written.write([rowOf('locale:DE', 11), rowOf('locale:ES', 4), rowOf('total', 15)])
  await written.remove('locale:FR')
  expect(await isFollowed()).toBe(false)
  const { rows, age_ms } = await client.json<Rows>('/api/table')
  expect(rows.map(({ key, count }) => [key, count])).toEqual([
    ['total', 15],
    ['locale:DE', 11],
    ['locale:ES', 4],
  ])
  expect(age_ms).toBeLessThan(5000)
  await written.write([rowOf('locale:DE', 12), rowOf('total', 16)])
  await until('it goes on', async () => (await countOf('total')) === 16)
  expect(await countOf('locale:DE')).toBe(12)
})

/** The events of a stream that have come whole. */
function eventsIn(text: string): { event: string; data: unknown }[] {
  return [...text.matchAll(/^event: (\w+)\ndata: (.*)\n\n/gm)].map(([, event = '', data = '']) => ({
    event,
    data: JSON.parse(data) as unknown,
  }))
}

test('who reads the events too slowly for all that changes is told to ask again, and then has every row', async () => {
  await written.create()
  const { client, followed } = await openTableServer(application)
  const { table } = await followed.complete()
  const answer = await new Promise<IncomingMessage>((resolve) => {
    get(`${client.url}/api/stream`, resolve)
  })
  cleanUpLater(() => void answer.destroy())
  // Nothing is read from here on: what is written fills the sockets' buffers, and then waits.
  const wide = (at: number, count: number) => rowOf(`locale:${'x'.repeat(800)}${at}`, count)
  /** No more at a time than a client that reads would be sent. */
  const write = async (from: number, count: number): Promise<void> => {
    await written.write(Array.from({ length: 2000 }, (_, at) => wide(from + at, count)))
    const last = wide(from + 1999, count)
    await until('the last row', async () => (await table.get(last.key))?.count === count)
    await systemClock.sleep(300)
  }
  for (let round = 1; round <= 10; round++) await write(0, round)
  for (const from of [0, 2000, 4000]) await write(from, 99)
  let text = ''
  answer.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  // The first is that of the connection.
  const reloads = () => text.split('event: reload\ndata: {}\n\n').length - 1
  await until('to ask again', () => reloads() === 2)
  const { rows, key_count } = await client.json<Rows>('/api/table?order=value&limit=10000')
  expect(key_count).toBe(6000)
  expect(rows.filter(({ count }) => count !== 99)).toEqual([])
  await written.write([rowOf('total', 7)])
  await until('the next change', () => text.includes('"key":"total"') && text.endsWith('\n\n'))
  // What was too much is not sent one by one; what changes from there on is.
  const events = eventsIn(text)
  const at = events.findLastIndex(({ event }) => event === 'reload')
  expect(events[0]).toEqual({ event: 'reload', data: {} })
  const sent = events.slice(1, at).flatMap(({ data }) => (data as ChangedRows).rows)
  expect(sent.length).toBeGreaterThan(0)
  expect(sent.filter((row) => 'count' in row && row.count === 99)).toEqual([])
  expect(events.slice(at + 1)).toMatchObject([{ event: 'rows', data: { rows: [rowOf('total', 7)] } }])
})

/** The count of each key, recounted. */
function recount(logins: readonly GeneratedLogin[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { value, valid } of logins) {
    if (!valid || value === null) continue
    const login = JSON.parse(value.toString()) as Record<string, string | null | undefined>
    const part = (field: string) => encodeKeyPart(login[field] || 'unknown')
    const keys = dimensions.map((name) => `${name}:${name.split('+').map(part).join('+')}`)
    for (const key of ['total', ...keys]) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

type Counted = readonly [key: string, count: number]
const byKey = ([a]: Counted, [b]: Counted) => (a < b ? -1 : 1)
const byCount = (a: Counted, b: Counted) => a[1] - b[1] || byKey(a, b)
const byFallingCount = (a: Counted, b: Counted) => b[1] - a[1] || byKey(a, b)

test('rows on disk are answered as the logins have them: in each order and part, by key, most and least', async () => {
  await application.createInput(2)
  const counts = recount(await application.produceLogins(5000))
  application.start()
  await application.counted()
  const { client, directory } = await openTableServer(application, { limits: { rowsInMemory: 10 } })
  const asked = async (query: string): Promise<Counted[]> => {
    const { rows, key_count } = await client.json<Rows>(`/api/table?limit=10000&${query}`)
    expect(key_count).toBe(rows.length)
    return rows.map(({ key, count }) => [key, count])
  }
  const of = (dimension: string) => [...counts].filter(([key]) => key.split(':')[0] === dimension)
  expect(await asked('')).toEqual([...counts].sort(byFallingCount))
  expect(readdirSync(directory)).toHaveLength(1)
  for (const dimension of [...dimensions, 'total']) {
    const name = encodeURIComponent(dimension)
    expect(await asked(`dimension=${name}`)).toEqual(of(dimension).sort(byFallingCount))
    expect(await asked(`dimension=${name}&order=count`)).toEqual(of(dimension).sort(byCount))
    // All of it is of today.
    expect(await asked(`dimension=${name}&order=-rolling.24h`)).toEqual(of(dimension).sort(byFallingCount))
  }
  const byValue = await client.json<Rows>('/api/table?dimension=locale&order=-value&limit=10000')
  const values = byValue.rows.map(({ value }) => value)
  expect(values).toEqual(values.toSorted((a, b) => (a > b ? -1 : 1)))
  expect(values).toHaveLength(of('locale').length)
  const locales = of('locale').sort(byFallingCount)
  for (let offset = 0; offset < locales.length; offset += 3) {
    const path = `/api/table?dimension=locale&limit=3&offset=${offset}`
    const { rows, key_count } = await client.json<Rows>(path)
    expect(key_count).toBe(locales.length)
    expect(rows.map(({ key, count }) => [key, count])).toEqual(locales.slice(offset, offset + 3))
  }
  for (const [key, count] of counts) {
    const { row } = await client.json<{ row: Row }>(`/api/table/${encodeURIComponent(key)}`)
    expect([row.key, row.count]).toEqual([key, count])
  }
  expect((await client.get('/api/table/locale:nowhere')).status).toBe(404)
  const summary = await client.json<Summary>('/api/summary?limit=5')
  expect(summary.dimensions.map(({ dimension }) => dimension)).toEqual(dimensions)
  for (const { dimension, top, least } of summary.dimensions) {
    const pairs = (rows: readonly Row[]) => rows.map(({ key, count }) => [key, count])
    expect(pairs(top)).toEqual(of(dimension).sort(byFallingCount).slice(0, 5))
    expect(pairs(least)).toEqual(of(dimension).sort(byCount).slice(0, 5))
  }
})

function heapInMegabytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed / 2 ** 20
}

test('rows on disk are not in memory, however many they are', async () => {
  await written.create()
  const rowCount = 30_000
  const wide = (at: number): KeyedRow => rowOf(`user:${'x'.repeat(600)}${at}`, at)
  for (let at = 0; at < rowCount; at += 5000)
    await written.write(Array.from({ length: 5000 }, (_, index) => wide(at + index)))
  const { client } = await openTableServer(application, { limits: { rowsInMemory: 1000 } })
  const before = heapInMegabytes()
  const { rows, key_count } = await client.json<Rows>('/api/table?limit=3')
  expect(key_count).toBe(rowCount)
  expect(rows).toEqual([rowCount - 1, rowCount - 2, rowCount - 3].map(wide))
  // In memory they would take 40 MB at the least.
  expect(heapInMegabytes() - before).toBeLessThan(15)
})

test('few questions look at all rows at once, equal ones together; some wait, and what is beyond that is refused', async () => {
  await written.create()
  await written.write(Array.from({ length: 3000 }, (_, at) => rowOf(`user:${at}`, at)))
  const limits = { scans: 2, waitingScans: 3, rowsInMemory: 10 }
  const { client, followed } = await openTableServer(application, { limits })
  const { table } = await followed.complete()
  const scans = { total: 0, underWay: 0, most: 0 }
  let gate = Promise.withResolvers<void>()
  cleanUpLater(() => gate.resolve())
  const ordered = table.ordered.bind(table)
  table.ordered = async (...question) => {
    scans.total += 1
    scans.underWay += 1
    scans.most = Math.max(scans.most, scans.underWay)
    await gate.promise
    const rows = await ordered(...question)
    scans.underWay -= 1
    return rows
  }
  let questions = 0
  const complete = followed.complete.bind(followed)
  followed.complete = async () => {
    const following = await complete()
    questions += 1
    return following
  }
  const ask = (limit: number) => client.get(`/api/table?limit=${limit}`)

  const refused: Response[] = []
  const different = Array.from({ length: 30 }, async (_, at) => {
    const answer = await ask(at + 1)
    if (!answer.ok) refused.push(answer)
    return answer
  })
  await until('what is too much is refused', () => refused.length === 25)
  for (const answer of refused) expect(await refusal(client, '/api/table', answer)).toBe('TABLE_BUSY')
  // One row is no look at all of them.
  expect((await client.get('/api/table/user:7')).status).toBe(200)
  gate.resolve()
  const answered = (await Promise.all(different)).flatMap((answer, at) => (answer.ok ? [{ answer, at }] : []))
  expect(answered).toHaveLength(5)
  for (const { answer, at } of answered) {
    const { rows } = (await answer.json()) as Rows
    expect(rows.map(({ count }) => count)).toEqual(Array.from({ length: at + 1 }, (_, rank) => 2999 - rank))
  }
  expect(scans).toEqual({ total: 5, underWay: 0, most: 2 })

  gate = Promise.withResolvers()
  questions = 0
  const equal = Array.from({ length: 30 }, () => ask(4))
  await until('all have come', () => questions === 30)
  await systemClock.yield()
  gate.resolve()
  for (const answer of await Promise.all(equal)) {
    expect(((await answer.json()) as Rows).rows.map(({ count }) => count)).toEqual([2999, 2998, 2997, 2996])
  }
  expect(scans).toEqual({ total: 6, underWay: 0, most: 2 })
})

test('who asks while rows on disk are taken away, because the topic is made anew, is told to ask again', async () => {
  await written.create()
  await written.write(Array.from({ length: 3000 }, (_, at) => rowOf(`user:${at}`, at)))
  const { client, followed } = await openTableServer(application, { limits: { rowsInMemory: 10 } })
  const { table } = await followed.complete()
  const statuses = new Set<number>()
  let isOver = false
  const asking = Array.from({ length: 4 }, async (_, at) => {
    while (!isOver) statuses.add((await client.get(`/api/table?limit=${at + 1}`)).status)
  })
  await written.delete()
  await systemClock.sleep(500)
  await written.create()
  await written.write(Array.from({ length: 4000 }, (_, at) => rowOf(`user:${at}`, at + 1)))
  // For a second it may take the new topic for the old one.
  await until('the new rows', async () => {
    const isAnew = table.restarts > 0 && table.isComplete
    return isAnew && (await table.get('user:3999').catch(() => null)) !== null
  })
  isOver = true
  await Promise.all(asking)
  expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([])
  const { rows, key_count } = await client.json<Rows>('/api/table?limit=1')
  expect([key_count, rows[0]?.count]).toEqual([4000, 4000])
})
