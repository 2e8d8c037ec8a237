/** The HTTP API: any instance answers for the whole table, says how old the answer is, and never gives an incomplete one. */
import { request } from 'node:http'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type {
  ChangedRows,
  Health,
  Row,
  Rows,
  Summary,
  Tasks,
} from '../../src/login-stats/http/api-schemas.ts'
import type { TopicPartition } from '../../src/ports/kafka.ts'
import { readPartition } from '../../src/streams/index.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { HttpClient, withHttp } from '../support/http-client.ts'
import { haveSettled, killAllInstances } from '../support/instance.ts'

const taskCount = 8
let application: Application

beforeEach(async () => {
  application = new Application('http', { ...withHttp, SESSION_TIMEOUT_MS: '6000' })
  cleanUpLater(() => application.close())
  await application.createInput(4)
})
afterEach(async () => {
  await killAllInstances()
  await cleanUpAll()
})

const tableOf = async (client: HttpClient): Promise<Map<string, number>> => {
  const { rows } = await client.json<Rows>('/api/table?limit=10000')
  return new Map(rows.map(({ key, count }) => [key, count]))
}

test('each instance answers for the whole table, exactly, and both say where each task is', async () => {
  const logins = await application.produceLogins(20_000)
  const valid = logins.filter((login) => login.valid).length
  const [a, b] = [application.start(), application.start()]
  await haveSettled([a, b], taskCount)
  await application.counted()
  for (const instance of [a, b]) {
    const client = await HttpClient.of(instance)
    await client.until<Health>('/readyz', ({ status }) => status === 'ok')
    const { row, age_ms } = await client.until<{ row: Row; age_ms: number }>(
      '/api/table/total',
      ({ row: found }) => found?.count === valid,
    )
    expect(row.count).toBe(valid)
    expect(age_ms).toBeLessThan(5000)
    const table = await tableOf(client)
    const ofDimension = (name: string) =>
      [...table].filter(([key]) => key.startsWith(`${name}:`)).reduce((sum, [, count]) => sum + count, 0)
    for (const dimension of ['locale', 'device_type', 'app_version'])
      expect(ofDimension(dimension)).toBe(valid)
    const { tasks, instances, group_state } = await client.until<Tasks>(
      '/api/tasks',
      ({ tasks: found = [] }) =>
        found.length === taskCount &&
        found.every(({ state, lag_records: lag }) => state === 'running' && lag === 0),
    )
    expect(group_state).toBe('Stable')
    expect(tasks).toHaveLength(taskCount)
    expect(instances).toHaveLength(2)
    expect(instances.every(({ is_reachable }) => is_reachable)).toBe(true)
    expect(instances.filter(({ is_this }) => is_this)).toHaveLength(1)
    for (const each of [a, b]) {
      const found = instances.find(({ tasks: ids }) => String(ids) === String([...each.tasks].sort()))
      expect(found, String(each.tasks)).toBeDefined()
    }
  }
})

test('rows come in the order that was asked for, whatever the dimension, window or part', async () => {
  await application.produceLogins(3000)
  const instance = application.start()
  await application.counted()
  const client = await HttpClient.of(instance)
  const all = await client.json<Rows>('/api/table?dimension=locale&limit=10000')
  expect(all.key_count).toBe(all.rows.length)
  const counts = all.rows.map(({ count }) => count)
  expect(counts).toEqual(counts.toSorted((x, y) => y - x))
  const part = await client.json<Rows>('/api/table?dimension=locale&limit=5&offset=3')
  expect(part.rows).toEqual(all.rows.slice(3, 8))
  const rising = await client.json<Rows>('/api/table?dimension=locale&order=count&limit=10000')
  expect(rising.rows.map(({ count }) => count)).toEqual(counts.toSorted((x, y) => x - y))
  const byValue = await client.json<Rows>('/api/table?dimension=locale&order=value&limit=10000')
  const values = byValue.rows.map(({ value }) => value)
  expect(values).toEqual(values.toSorted((x, y) => (x < y ? -1 : 1)))
  const rolling = await client.json<Rows>('/api/table?dimension=locale&order=-rolling.24h&limit=10000')
  const inWindow = rolling.rows.map((row) => row.rolling['24h'] ?? -1)
  expect(inWindow).toEqual(inWindow.toSorted((x, y) => y - x))
  const summary = await client.json<Summary>('/api/summary?limit=3')
  expect(summary.dimensions.map(({ dimension }) => dimension)).toEqual([
    'locale',
    'device_type',
    'app_version',
  ])
  const locale = summary.dimensions.find(({ dimension }) => dimension === 'locale')
  expect(locale?.top).toEqual(all.rows.slice(0, 3))
  expect(locale?.least.map(({ count }) => count)).toEqual(rising.rows.slice(0, 3).map(({ count }) => count))
})

test('what cannot be answered is told as JSON, with the status that says why', async () => {
  const instance = application.start()
  const client = await HttpClient.of(instance)
  await client.until<Health>('/readyz', ({ status }) => status === 'ok')
  const failed = async (path: string, init: RequestInit = {}) => {
    const answer = await client.get(path, init)
    const { error } = (await answer.json()) as { error: { code: string; message: string } }
    expect(error.message, path).not.toBe('')
    return [answer.status, error.code]
  }
  expect(await failed('/nothing')).toEqual([404, 'NOT_FOUND'])
  expect(await failed('/api/table/locale:nowhere')).toEqual([404, 'NOT_FOUND'])
  expect(await failed('/api/table?limit=-1')).toEqual([400, 'BAD_REQUEST'])
  expect(await failed('/api/table?limit=1000000')).toEqual([400, 'BAD_REQUEST'])
  expect(await failed('/api/table?order=worst')).toEqual([400, 'BAD_REQUEST'])
  expect(await failed('/api/table?dimensoin=locale')).toEqual([400, 'BAD_REQUEST'])
  expect(await failed('/api/stream?events=everything')).toEqual([400, 'BAD_REQUEST'])
  expect(await failed('/api/table?limit=10000&offset=1')).toEqual([400, 'BAD_REQUEST'])
  expect(await failed('/api/table/%zz')).toEqual([400, 'BAD_REQUEST'])
  expect(await failed(`/api/table/${'x'.repeat(5000)}`)).toEqual([414, 'BAD_REQUEST'])
  expect(await failed('/api/table', { method: 'POST', body: '{}' })).toEqual([405, 'METHOD_NOT_ALLOWED'])
  expect(await failed('/api/table', { method: 'DELETE' })).toEqual([405, 'METHOD_NOT_ALLOWED'])
})

test('the description fits the answers', async () => {
  await application.produceLogins(500, { invalidShare: 0.1 })
  const instance = application.start()
  await application.counted()
  const client = await HttpClient.of(instance)
  const document = await client.json<{
    paths: Record<
      string,
      { get: { responses: Record<string, { content?: Record<string, { schema: object }> }> } }
    >
  }>('/openapi.json')
  const paths = Object.keys(document.paths)
  expect(paths.sort()).toEqual(
    [
      '/api/insights',
      '/api/stream',
      '/api/summary',
      '/api/table',
      '/api/table/{key}',
      '/api/tasks',
      '/livez',
      '/metrics',
      '/readyz',
    ].sort(),
  )
  const ajv = new Ajv2020({ strict: false, formats: { int64: true } })
  const examples: Record<string, string[]> = {
    '/api/table': ['/api/table', '/api/table?limit=-1'],
    '/api/table/{key}': ['/api/table/total', '/api/table/none'],
    '/api/stream': ['/api/stream?events=x'],
  }
  for (const path of paths) {
    for (const example of examples[path] ?? [path]) {
      const answer = await client.get(example)
      if (path === '/metrics') continue
      const schema = document.paths[path]?.get.responses[answer.status]?.content?.['application/json']?.schema
      expect(schema, `${example} ${answer.status}`).toBeDefined()
      const validate = ajv.compile(schema ?? false)
      const isValid = validate(await answer.json())
      expect(isValid, `${example}: ${ajv.errorsText(validate.errors)}`).toBe(true)
    }
  }
})

test('events bring each change of a row to its last state, and the summary and the tasks with them', async () => {
  const instance = application.start()
  const client = await HttpClient.of(instance)
  await client.until<Health>('/readyz', ({ status }) => status === 'ok')
  const controller = new AbortController()
  cleanUpLater(async () => controller.abort())
  const rows = new Map<string, number>()
  const seen = new Map<string, number>()
  let newest: Summary | null = null
  const reading = (async () => {
    try {
      for await (const { event, data } of client.events(
        '/api/stream?events=rows,summary,tasks',
        controller.signal,
      )) {
        seen.set(event, (seen.get(event) ?? 0) + 1)
        if (event === 'summary') newest = data as Summary
        if (event !== 'rows') continue
        for (const row of (data as ChangedRows).rows) if ('count' in row) rows.set(row.key, row.count)
      }
    } catch (error) {
      if (!controller.signal.aborted) throw error
    }
  })()
  const logins = await application.produceLogins(4000, { batch: 200, pauseMs: 50 })
  const valid = logins.filter((login) => login.valid).length
  await application.counted()
  const deadline = systemClock.monotonic() + 20_000
  const isThere = () =>
    rows.get('total') === valid && newest?.total?.count === valid && (seen.get('tasks') ?? 0) > 1
  while (!isThere()) {
    if (systemClock.monotonic() > deadline)
      throw new Error(`${JSON.stringify([...seen])} ${rows.get('total')} ${valid}`)
    await systemClock.sleep(50)
  }
  expect(rows).toEqual(await tableOf(client))
  expect(await client.text('/metrics')).toMatch(/^login_stats_stream_clients 1$/m)
  controller.abort()
  await reading
})

test('a port that is taken is a failure that says so, unless it is the default one', async () => {
  const first = application.start({ HTTP_PORT: '0' })
  const client = await HttpClient.of(first)
  await client.until<Health>('/readyz', ({ status }) => status === 'ok')
  const second = application.start({ HTTP_PORT: new URL(client.url).port })
  expect(await second.exited).toBe(1)
  expect(second.tail()).toContain('HTTP_PORT_IN_USE')
})

test('answers are no younger than they say: what was committed before is in them', async () => {
  const instance = application.start()
  const client = await HttpClient.of(instance)
  await client.until<Health>('/readyz', ({ status }) => status === 'ok')
  await client.until<{ rows?: unknown }>('/api/table', ({ rows }) => rows !== undefined)
  const { outputTopic: topic } = application.config
  const partitions = [0, 1, 2, 3].map((partition) => ({ topic, partition }))
  const producing = application.produceLogins(3000, { batch: 50, pauseMs: 20 })
  let isDone = false
  void producing.finally(() => {
    isDone = true
  })
  let checked = 0
  while (!isDone) {
    // Rows up to these ends could be seen at that moment.
    const ends = await application.kafka.admin.listOffsets(partitions, 'lastStable')
    const seenAt = systemClock.monotonic()
    const before = await totalUpTo(application, partitions, ends)
    const { row, age_ms: age } = await client.until<{ row?: Row; age_ms: number | null }>(
      '/api/table/total',
      ({ age_ms }) => age_ms !== null && systemClock.monotonic() - age_ms > seenAt,
    )
    if (before === 0) continue
    expect(row?.count, `${age} ms old`).toBeGreaterThanOrEqual(before)
    checked += 1
  }
  await producing
  expect(checked).toBeGreaterThan(0)
})

/** The last total that stands below the offsets, by a reader of its own. */
async function totalUpTo(
  { kafka }: Application,
  partitions: readonly TopicPartition[],
  ends: readonly number[],
): Promise<number> {
  let total = 0
  for (const [at, partition] of partitions.entries()) {
    await readPartition({
      ...{ kafka, clock: systemClock, partition, from: 0, to: ends[at] ?? 0, maxHeldBackMs: 10_000 },
      cancelled: () => false,
      onRecords: async (records) => {
        for (let record = records.next(); record !== null; record = records.next()) {
          if (record.offset >= (ends[at] ?? 0) || record.key()?.toString() !== 'total') continue
          total = (JSON.parse(record.value()?.toString() ?? '{}') as Row).count
        }
      },
    })
  }
  return total
}

test('while a killed instance is missed, the other one answers soon, and its own tasks are told as they are', async () => {
  const [survivor, victim] = [application.start(), application.start()]
  await haveSettled([survivor, victim], taskCount)
  const load = application.produceLogins(6000, { batch: 100, pauseMs: 100 })
  const client = await HttpClient.of(survivor)
  await client.until<Partial<Tasks>>(
    '/api/tasks',
    ({ tasks }) => tasks?.every(({ state }) => state === 'running') === true,
  )
  const own = [...survivor.tasks]
  await victim.kill()
  const deadline = systemClock.monotonic() + 40_000
  const states = new Set<string>()
  for (;;) {
    const askedAt = systemClock.monotonic()
    const { tasks, group_state: state } = await client.json<Tasks>('/api/tasks')
    expect(systemClock.monotonic() - askedAt).toBeLessThan(5000)
    states.add(state)
    for (const { task, instance } of tasks) if (own.includes(task)) expect(instance, task).not.toBeNull()
    const isOver = tasks.every((task) => task.state === 'running') && survivor.tasks.length === taskCount
    if (isOver) break
    if (systemClock.monotonic() > deadline) throw new Error(JSON.stringify(tasks))
    await systemClock.sleep(50)
  }
  console.log(`the group was ${[...states].join(', ')}`)
  await load
  expect((await application.counted()).verdict).toBe('equal')
})

test('a name of another machine is not this one', async () => {
  const instance = application.start()
  const { url } = await HttpClient.of(instance)
  const status = await new Promise((resolve, reject) => {
    const asked = request(`${url}/livez`, { headers: { host: 'elsewhere.example' } }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
    asked.on('error', reject).end()
  })
  expect(status).toBe(421)
})

test('an instance says why it is not ready, until it is', async () => {
  await application.produceLogins(200)
  const first = application.start()
  const client = await HttpClient.of(first)
  const { reasons } = await client.until<Health>('/readyz', ({ status }) => status === 'not ready')
  expect(reasons.length).toBeGreaterThan(0)
  expect((await client.get('/livez')).status).toBe(200)
  await client.until<Health>('/readyz', ({ status }) => status === 'ok')
  expect((await client.get('/readyz')).status).toBe(200)
  expect((await client.json<Health>('/readyz')).reasons).toEqual([])
})
