/** Insights: one summary each interval, by one instance at a time, whoever dies. */
import { afterEach, expect, test } from 'vitest'
import { type Insights, insightsSchema } from '../../src/login-stats/http/api-schemas.ts'
import { readPartition } from '../../src/streams/index.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { haveTasks, type Instance, killAllInstances } from '../support/instance.ts'

const intervalMs = 1000

afterEach(async () => {
  await killAllInstances()
  await cleanUpAll()
})

async function read(application: Application): Promise<Insights[]> {
  const { kafka } = application
  const partition = { topic: application.config.insightsTopic ?? '', partition: 0 }
  const insights: Insights[] = []
  const [end = 0] = await kafka.admin.listOffsets([partition], 'lastStable')
  await readPartition({
    ...{ kafka, clock: systemClock, partition, from: 0, to: end, maxHeldBackMs: 10_000 },
    cancelled: () => false,
    onRecords: async (records) => {
      for (let record = records.next(); record !== null; record = records.next()) {
        insights.push(insightsSchema.parse(JSON.parse(record.value()?.toString() ?? '')))
      }
    },
  })
  return insights
}

test('are right, come from one instance at a time, and from another one when that dies', async () => {
  const application = new Application('insights', {
    INSIGHTS_INTERVAL: `${intervalMs}ms`,
    SESSION_TIMEOUT_MS: '6000',
  })
  cleanUpLater(() => application.close())
  const topic = `${application.config.appId}-insights`
  await application.createInput(4)
  const logins = await application.produceLogins(5000)
  const instances = [0, 1].map(() => application.start({ INSIGHTS_TOPIC: topic }))
  await haveTasks(instances, 8)
  await application.counted()
  const configured = {
    ...application,
    config: { ...application.config, insightsTopic: topic },
  } as Application
  // Whoever came first may have published before the other one had tasks.
  const settledAt = systemClock.now()
  const published = (instance: Instance) =>
    instance.lines('Insights').filter(({ time }) => time > settledAt + intervalMs).length
  const deadline = systemClock.monotonic() + 30_000
  while (!instances.some((instance) => published(instance) >= 3)) {
    if (systemClock.monotonic() > deadline) throw new Error('nobody publishes')
    await systemClock.sleep(100)
  }
  const [first, second] = instances.toSorted((x, y) => published(y) - published(x))
  if (first === undefined || second === undefined) throw new Error('no instances')
  expect(published(second)).toBe(0)
  const last = (await read(configured)).at(-1)
  const valid = logins.filter((login) => login.valid).length
  expect(last?.logins).toBe(valid)
  expect(last?.dead_letters?.count).toBe(logins.length - valid)
  for (const { shares, distinct, most_active, least_active } of Object.values(last?.dimensions ?? {})) {
    expect(shares.length).toBe(Math.min(20, distinct))
    expect(most_active).toEqual(shares[0])
    expect(least_active?.count).toBeLessThanOrEqual(shares.at(-1)?.count ?? 0)
    for (const { count, share } of shares) expect(share).toBeCloseTo(count / valid, 10)
  }
  await first.kill()
  await second.line('the other one publishes', ({ msg }) => msg === 'Insights', 40_000)
  const all = await read(configured)
  // From the first to the second when that came, perhaps back, and over after the death: never to and fro.
  const changes = all.filter(({ instance }, at) => at > 0 && instance !== all[at - 1]?.instance)
  expect(changes.length).toBeGreaterThan(0)
  expect(changes.length).toBeLessThanOrEqual(2)
  const times = all.map(({ generated_at }) => generated_at)
  expect(times).toEqual(times.toSorted())
  expect(await second.stop(), second.tail()).toBe(0)
})
