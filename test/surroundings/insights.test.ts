/** Insights: one summary each interval, by one instance at a time, whoever dies. */
import { afterEach, expect, test } from 'vitest'
import { partitionFor } from '../../src/bytes/murmur2.ts'
import { TOTAL_KEY } from '../../src/login-stats/domain/dimensions.ts'
import { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { type Insights, insightsSchema } from '../../src/login-stats/http/api-schemas.ts'
import { readPartition } from '../../src/streams/index.ts'
import { systemClock } from '../../src/system/clock.ts'
import { systemRandom } from '../../src/system/random.ts'
import { Application } from '../support/application.ts'
import { bootstrapServers } from '../support/broker.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { HttpClient, withHttp } from '../support/http-client.ts'
import { haveSettled, type Instance, killAllInstances, type LogLine } from '../support/instance.ts'
import { type Fate, FatePlan } from '../support/tcp-proxy/fate.ts'
import type { Frame, ProxiedApi } from '../support/tcp-proxy/frames.ts'
import { KafkaProxy } from '../support/tcp-proxy/kafka-proxy.ts'

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
  await haveSettled(instances, 8)
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
  // The broker answers before the marker is written that shows the record.
  const publishers = async () => new Set((await read(configured)).map(({ instance }) => instance)).size
  await expect.poll(publishers).toBeGreaterThan(1)
  const all = await read(configured)
  // From the first to the second when that came, perhaps back, and over after the death: never to and fro.
  const changes = all.filter(({ instance }, at) => at > 0 && instance !== all[at - 1]?.instance)
  expect(changes.length).toBeGreaterThan(0)
  expect(changes.length).toBeLessThanOrEqual(2)
  const times = all.map(({ generated_at }) => generated_at)
  expect(times).toEqual(times.toSorted())
  expect(await second.stop(), second.tail()).toBe(0)
})

/** An application whose instances publish, with four partitions of input and of counts. */
async function publishingApplication(): Promise<Application> {
  const topic = `insights-${systemRandom.id()}`
  const application = new Application('insights', {
    INSIGHTS_TOPIC: topic,
    INSIGHTS_INTERVAL: `${intervalMs}ms`,
    SESSION_TIMEOUT_MS: '6000',
    ...withHttp,
  })
  cleanUpLater(() => application.close())
  await application.createInput(4)
  return application
}

/** The task whose instance is to publish. */
const totalsTask = `1_${partitionFor(Buffer.from(TOTAL_KEY), 4)}`

/** As its records name it. */
async function nameOf(instance: Instance): Promise<string> {
  const client = await HttpClient.of(instance)
  return (await client.json<{ instance: string }>('/api/instance')).instance
}

const isPublished = ({ msg }: LogLine) => msg === 'Insights'

/** When an instance was last given the total's task after `since`; never, if it was not. */
function givenAt(instance: Instance, since: number): number {
  const given = instance
    .lines('Tasks assigned')
    .filter(({ time, assigned }) => time > since && (assigned as string[]).includes(totalsTask))
  return given[0]?.time ?? Number.POSITIVE_INFINITY
}

/** Where in a round an instance shall be stopped: at which request of the client that publishes. */
interface StopPoint {
  readonly at: string
  readonly api: ProxiedApi
  /** After so many summaries. */
  readonly after: number
}

const stopPoints: readonly StopPoint[] = [
  // It has made its summary, and looks the topic up before it takes the transactional id.
  { at: 'before it had the transactional id', api: 'Metadata', after: 0 },
  { at: 'within a transaction', api: 'AddPartitionsToTxn', after: 2 },
]

/** Tells when a request that names the topic of insights is on its way, once it is armed. */
class TellingPlan extends FatePlan {
  readonly #topic: string
  readonly #seen = Promise.withResolvers<void>()
  #api: ProxiedApi | null = null

  constructor(topic: string, random: Xoshiro128) {
    super(random)
    this.#topic = topic
  }

  /** Resolves at the next such request, which arrives a little later. */
  next(api: ProxiedApi): Promise<void> {
    this.#api = api
    return this.#seen.promise
  }

  override fateOf(frame: Frame): Fate {
    const isIt = frame.direction === 'request' && frame.api === this.#api && frame.bytes.includes(this.#topic)
    if (!isIt) return super.fateOf(frame)
    this.#seen.resolve()
    return { kind: 'deliver', delayMs: 200 }
  }
}

test.each(stopPoints)(
  'one that stood still $at publishes nothing once another one has taken over, and goes on',
  async ({ api, after }) => {
    const application = await publishingApplication()
    await application.produceLogins(2000)
    const random = new Xoshiro128(1)
    const plan = new TellingPlan(application.config.insightsTopic ?? '', random)
    const proxy = await KafkaProxy.start(bootstrapServers(), plan, random)
    cleanUpLater(() => proxy.close())
    const stopped = application.start({ KAFKA_BROKERS: proxy.bootstrapServers })
    const isReached = after === 0 ? plan.next(api) : null
    if (after > 0) await stopped.line('it publishes', () => stopped.lines('Insights').length >= after)
    await (isReached ?? plan.next(api))
    stopped.signal('SIGSTOP')
    // What the one that stands still does not know of.
    await application.produceLogins(1000, { seed: 2 })
    const other = application.start()
    await other.line('the other one publishes', isPublished, 40_000)
    stopped.signal('SIGCONT')
    const continuedAt = systemClock.now()
    const again = ({ msg, time }: LogLine) => msg === 'Tasks assigned' && time > continuedAt
    await stopped.line('it has come back', again, 30_000)
    await systemClock.sleep(4 * intervalMs)
    const name = await nameOf(stopped)
    const from = givenAt(stopped, continuedAt)
    const all = await read(application)
    const late = all.filter(
      ({ instance, generated_at: at }) => instance === name && Date.parse(at) > continuedAt,
    )
    for (const { generated_at } of late) expect(Date.parse(generated_at)).toBeGreaterThan(from)
    // Nor has the other one lost the transactional id to it.
    expect(other.log.filter(({ code, time }) => code === 'PRODUCER_FENCED' && time < from)).toEqual([])
    expectOneAtATime(all)
    for (const instance of [stopped, other]) expect(await instance.stop(), instance.tail()).toBe(0)
  },
)

/** What is known only grows, and each waits an interval after what it has published, by a clock that may be set meanwhile. */
function expectOneAtATime(all: readonly Insights[]): void {
  const times = all.map(({ generated_at }) => generated_at)
  expect(times).toEqual(times.toSorted())
  const logins = all.map((insights) => insights.logins)
  expect(logins).toEqual(logins.toSorted((a, b) => a - b))
  for (const [at, { instance, generated_at }] of all.entries()) {
    const before = all[at - 1]
    if (before?.instance !== instance) continue
    const sinceBefore = Date.parse(generated_at) - Date.parse(before.generated_at)
    expect(sinceBefore, `${at} of ${all.length}`).toBeGreaterThan(0.9 * intervalMs)
  }
}

test('one that stood still for less than its session publishes nothing old', async () => {
  const application = await publishingApplication()
  await application.produceLogins(2000)
  const stopped = application.start({ SESSION_TIMEOUT_MS: '20000' })
  await stopped.line('it publishes', () => stopped.lines('Insights').length >= 2)
  await systemClock.sleep(intervalMs / 3)
  stopped.signal('SIGSTOP')
  const stoodMs = 9000
  await systemClock.sleep(stoodMs)
  const before = stopped.lines('Insights').length
  stopped.signal('SIGCONT')
  await stopped.line('it goes on', () => stopped.lines('Insights').length >= before + 2)
  const all = await read(application)
  expect(Math.max(...all.map(({ age_ms }) => age_ms ?? 0))).toBeLessThan(stoodMs - intervalMs)
  expectOneAtATime(all)
  expect(await stopped.stop(), stopped.tail()).toBe(0)
})

test('of an empty table tell that nothing is counted, and go on where the publisher was killed and started again', async () => {
  const application = await publishingApplication()
  const first = application.start()
  const nothing = { logins: 0, rolling: {}, dimensions: {}, as_of: null, rate_per_second: null }
  await first.line('it publishes', () => first.lines('Insights').length >= 2)
  expect((await read(application)).at(0)).toMatchObject({ ...nothing, dead_letters: { count: 0 } })
  await first.kill()
  const next = application.start()
  await next.line('it publishes', isPublished)
  const logins = await application.produceLogins(500)
  const valid = logins.filter((login) => login.valid).length
  await next.line('all are in it', ({ msg, logins: counted }) => msg === 'Insights' && counted === valid)
  expect(await next.stop(), next.tail()).toBe(0)
  const all = await read(application)
  expect(new Set(all.map(({ instance }) => instance)).size).toBe(1)
  expect(all.at(-1)?.logins).toBe(valid)
})
