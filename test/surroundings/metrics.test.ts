/** Metrics: what was counted stands there once, from all threads and instances, whoever was killed. */
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { HttpClient, withHttp } from '../support/http-client.ts'
import { haveSettled, killAllInstances } from '../support/instance.ts'

afterEach(async () => {
  await killAllInstances()
  await cleanUpAll()
})

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

async function scrape(client: HttpClient): Promise<Sample[]> {
  const text = await client.text('/metrics')
  return text.split('\n').flatMap((line) => {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (match === null) return []
    const [, name = '', labels = '', value] = match
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', of = '']) => [
      label,
      of,
    ])
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }]
  })
}

const sum = (
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number =>
  samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((total, { value }) => total + value, 0)

test('two instances with two threads each tell every login once, and each row by its owner', async () => {
  const application = new Application('metrics', {
    ...withHttp,
    STREAM_THREADS: '2',
    ROLLING_WINDOWS: '1m,1h',
  })
  cleanUpLater(() => application.close())
  await application.createInput(4)
  const instances = [application.start(), application.start()]
  await haveSettled(instances, 8)
  const logins = await application.produceLogins(6000, { invalidShare: 0.05, batch: 500 })
  const old = logins.find(({ valid }) => valid)
  // So old that it is late for both windows, whatever came before it.
  const text = String(old?.value).replace(/"timestamp":("?)\d+("?)/, '"timestamp":$11694479551$2')
  expect(text).toContain('1694479551')
  await application.produce([{ value: Buffer.from(text), timestamp: systemClock.now() }])
  const valid = logins.filter((login) => login.valid).length + 1
  const report = await application.counted()
  expect(report.verdict).toBe('equal')
  const clients = await Promise.all(instances.map((instance) => HttpClient.of(instance)))
  const all = (await Promise.all(clients.map(scrape))).flat()
  expect(sum(all, 'login_stats_logins_total', { outcome: 'counted' })).toBe(valid)
  expect(sum(all, 'login_stats_logins_total', { outcome: 'invalid' })).toBe(logins.length + 1 - valid)
  expect(sum(all, 'login_stats_dead_letters_total')).toBe(logins.length + 1 - valid)
  expect(sum(all, 'login_stats_late_records_total', { window: '1m' })).toBeGreaterThanOrEqual(1)
  expect(sum(all, 'login_stats_late_records_total', { window: '1h' })).toBeGreaterThanOrEqual(1)
  const topic = application.config.inputTopic
  expect(sum(all, 'total_count', { record_type: 'valid', topic })).toBe(valid)
  expect(sum(all, 'device_type_count', { topic })).toBe(valid)
  expect(sum(all, 'locale_count', { topic })).toBe(valid)
  expect(sum(all, 'login_stats_end_to_end_latency_seconds_count')).toBeGreaterThan(0)
  expect(sum(all, 'login_stats_end_to_end_latency_seconds_sum')).toBeGreaterThan(0)
  expect(sum(all, 'login_stats_task_state', { state: 'running' })).toBe(8)
  expect(sum(all, 'login_stats_ready')).toBe(2)
  const transactions = sum(all, 'login_stats_transactions_total', { outcome: 'committed' })
  expect(transactions).toBeGreaterThan(8)
  // Each thread has two tasks, and some of their commits go together.
  expect(transactions).toBeLessThan(sum(all, 'login_stats_commit_duration_seconds_count'))
  expect(sum(all, 'login_stats_store_entries')).toBeGreaterThan(10)
  expect(sum(all, 'login_stats_store_size_bytes')).toBeGreaterThan(1000)
  const threads = new Set(
    all.filter(({ name }) => name === 'login_stats_rebalances_total').map(({ labels }) => labels.thread),
  )
  expect([...threads].sort()).toEqual(['0', '1'])
})

test('of more than 1,000 values those with the most logins are told, and how many are not', async () => {
  const application = new Application('metrics', { ...withHttp, STREAM_THREADS: '2' })
  cleanUpLater(() => application.close())
  await application.createInput(2)
  const now = systemClock.now()
  const loginFrom = (locale: string) => ({
    value: Buffer.from(
      JSON.stringify({ user_id: 'u', locale, device_type: 'ios', timestamp: Math.floor(now / 1000) }),
    ),
    timestamp: now,
  })
  const rare = Array.from({ length: 300 }, (_, at) => `a${at}`)
  const common = Array.from({ length: 1000 }, (_, at) => `z${at}`)
  await application.produce([...rare, ...common, ...common].map(loginFrom))
  const instance = application.start()
  expect((await application.counted()).verdict).toBe('equal')
  const samples = await scrape(await HttpClient.of(instance))
  const told = samples.filter(({ name }) => name === 'locale_count')
  expect(told.map(({ labels }) => labels.locale).toSorted()).toEqual(common.toSorted())
  expect(told.every(({ value }) => value === 2)).toBe(true)
  expect(sum(samples, 'login_stats_unexported_values', { dimension: 'locale' })).toBe(300)
  expect(sum(samples, 'login_stats_unexported_values', { dimension: 'device_type' })).toBe(0)
  expect(sum(samples, 'total_count')).toBe(2300)
})

test('the lag of a task that is being restored is told', async () => {
  const application = new Application('metrics', { ...withHttp, STATS_PARTITIONS: '1' })
  cleanUpLater(() => application.close())
  await application.createInput(1)
  await application.produceLogins(200)
  const first = application.start()
  await application.counted()
  await first.stop()
  // A restore waits for it: nobody knows what it will have written.
  const changelog = { topic: `${application.config.appId}-counts-changelog`, partition: 0 }
  const producer = application.kafka.producer({
    transactionalId: `${application.config.appId}-open`,
    transactionTimeoutMs: 60_000,
  })
  await producer.init()
  const records = producer.appender()
  records.append(Buffer.from('never'), Buffer.from('seen'), systemClock.now())
  await producer.send([{ partition: changelog, records }])

  await application.produceLogins(300, { seed: 2 })
  const client = await HttpClient.of(application.start())
  const lagOf = async (task: string) => {
    const samples = await scrape(client)
    const state = samples.find(
      ({ name, labels }) => name === 'login_stats_task_state' && labels.task === task,
    )
    const lag = samples.find(
      ({ name, labels }) => name === 'login_stats_task_lag_records' && labels.task === task,
    )
    return { state: state?.labels.state, lag: lag?.value }
  }
  // Its input are the partial counts of the task before it, which runs.
  await expect
    .poll(() => lagOf('1_0'), { timeout: 30_000 })
    .toMatchObject({
      state: 'restoring',
      lag: expect.toSatisfy((lag: number | undefined) => lag !== undefined && lag > 0),
    })
  await producer.abort()
  await expect.poll(() => lagOf('1_0'), { timeout: 30_000 }).toEqual({ state: 'running', lag: 0 })
})

test('what was counted before a kill is in the store, and so in the metrics of who goes on', async () => {
  const application = new Application('metrics', { ...withHttp, SESSION_TIMEOUT_MS: '6000' })
  cleanUpLater(() => application.close())
  await application.createInput(2)
  const logins = await application.produceLogins(2000)
  const valid = logins.filter((login) => login.valid).length
  const first = application.start()
  await application.counted()
  await first.kill()
  const second = application.start()
  const client = await HttpClient.of(second)
  await client.until<{ status: string }>('/readyz', ({ status }) => status === 'ok')
  const samples = await scrape(client)
  expect(sum(samples, 'total_count')).toBe(valid)
  expect(sum(samples, 'device_type_count')).toBe(valid)
  expect(sum(samples, 'login_stats_logins_total', { outcome: 'counted' })).toBe(0)
})
