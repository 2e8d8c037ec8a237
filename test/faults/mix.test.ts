/**
 * The mix: processes, brokers, connections and stores break at random, under three members that each have a machine of their own.
 * The members reach the brokers through a proxy; the load and the oracle go direct. A full disk is not part of it: it fills the
 * disk of whoever runs this, or takes rights that not every machine gives (`disk.test.ts`).
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import { type LocalBroker, type LocalKafka, startLocalKafka } from '../../src/local-kafka/index.ts'
import type { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { between } from '../support/between.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { flipBit, stateFilesOf } from '../support/damage.ts'
import { faultRounds } from '../support/fault-rounds.ts'
import type { Instance } from '../support/instance.ts'
import { Load } from '../support/load.ts'
import { expectExact } from '../support/oracle.ts'
import { ProgressWatch } from '../support/progress.ts'
import { FatePlan } from '../support/tcp-proxy/fate.ts'
import type { ProxiedApi } from '../support/tcp-proxy/frames.ts'
import { KafkaProxy } from '../support/tcp-proxy/kafka-proxy.ts'
import { allInSync } from '../support/whereabouts.ts'

const roundMs = 300_000
/** With the time that the faults themselves take, about one every 5 s. */
const longestPauseMs = 2000
/** Now and then all is left alone, so that there is something to break again. */
const quiet = { chance: 0.05, ms: 15_000 }
const sessionTimeoutMs = 6000

afterEach(cleanUpAll)

/** One processor with a machine of its own: its state directory outlives its processes. */
interface Member {
  readonly stateDir: string
  process: Instance
}

interface World {
  readonly kafka: LocalKafka
  readonly application: Application
  readonly proxy: KafkaProxy
  readonly members: readonly [Member, ...Member[]]
  readonly random: Xoshiro128
}

type Fault = (world: World) => Promise<void>

/** Their answers are lost: the broker has done what was asked. */
const lostAnswers = [
  'EndTxn',
  'Produce',
  'JoinGroup',
  'SyncGroup',
  'TxnOffsetCommit',
] as const satisfies readonly ProxiedApi[]

function start(application: Application, proxy: KafkaProxy, stateDir: string): Instance {
  return application.start({
    KAFKA_BROKERS: proxy.bootstrapServers,
    STATE_DIR: stateDir,
    SESSION_TIMEOUT_MS: String(sessionTimeoutMs),
  })
}

async function restart(world: World, end: (member: Member) => Promise<void>): Promise<void> {
  const member = world.random.pick(world.members)
  await end(member)
  member.process = start(world.application, world.proxy, member.stateDir)
}

/** Of all stores of a member, those of tasks that it has lost included. */
function storeFilesOf(application: Application, { stateDir }: Member): string[] {
  const slot = join(stateDir, application.config.appId, '0')
  if (!existsSync(slot)) return []
  const stores = readdirSync(slot).filter((name) => /^\d+_\d+$/.test(name))
  return stores.flatMap((name) => stateFilesOf(join(slot, name)))
}

function one<T>(random: Xoshiro128, items: readonly T[]): T {
  const [first, ...others] = items
  if (first === undefined) throw new Error('nothing to pick from')
  return random.pick([first, ...others])
}

/**
 * One of them, once all replicas are in sync: with a second one away partitions would have no leader, and Kafka 4.3.0 then loses
 * markers of transactions (KAFKA-20734).
 */
async function anyBroker({ random, kafka, application }: World): Promise<LocalBroker> {
  await allInSync(application.config.brokers)
  return one(random, kafka.brokers)
}

const faults: Readonly<Record<string, Fault>> = {
  'kill -9, restart at once': (world) => restart(world, ({ process }) => process.kill()),
  'kill -9, restart later': (world) =>
    restart(world, async ({ process }) => {
      await process.kill()
      await systemClock.sleep(between(world.random, 500, 12_000))
    }),
  'kill -9, state directory deleted': (world) =>
    restart(world, async ({ process, stateDir }) => {
      await process.kill()
      rmSync(stateDir, { recursive: true })
      mkdirSync(stateDir)
    }),
  'kill -9, a bit of a store flipped, restart': (world) =>
    restart(world, async (member) => {
      await member.process.kill()
      const files = storeFilesOf(world.application, member)
      // It may not have had a task yet.
      if (files.length > 0) flipBit(one(world.random, files), world.random)
    }),
  'SIGTERM, restart': (world) =>
    restart(world, async ({ process }) => {
      expect(await process.stop(), process.tail()).toBe(0)
    }),
  'SIGSTOP, SIGCONT': async ({ random, members }) => {
    const { process } = random.pick(members)
    process.signal('SIGSTOP')
    await systemClock.sleep(between(random, 500, 2.5 * sessionTimeoutMs))
    process.signal('SIGCONT')
  },
  'broker killed, restarted': async (world) => {
    const { random } = world
    const broker = await anyBroker(world)
    await broker.kill()
    await systemClock.sleep(between(random, 0, 8000))
    await broker.start()
  },
  'broker stopped in order, restarted': async (world) => {
    const { random } = world
    const broker = await anyBroker(world)
    await broker.stop()
    await systemClock.sleep(between(random, 0, 3000))
    await broker.start()
  },
  'broker stands still': async (world) => {
    const { random } = world
    const broker = await anyBroker(world)
    await broker.pause()
    await systemClock.sleep(between(random, 500, 12_000))
    await broker.resume()
  },
  'answer lost': async ({ random, proxy }) => {
    proxy.plan.strike(random.pick(lostAnswers), 'answer', { kind: 'lose' })
  },
  'connection reset': async ({ random, proxy }) => {
    if (random.chance(0.5)) proxy.anyConnection()?.reset()
    else proxy.plan.strike('any', random.pick(['request', 'answer']), { kind: 'reset', share: random.next() })
  },
  'connection silent': async ({ random, proxy }) => {
    const resetAfterMs = random.chance(0.5) ? null : between(random, 500, 10_000)
    proxy.anyConnection()?.silence(random.pick(['requests', 'answers', 'both']), resetAfterMs)
  },
  'latency for some seconds': async ({ random, proxy }) => {
    proxy.plan.latencyMs = [0, random.pick([20, 100, 300])]
    proxy.plan.trickleShare = random.pick([0, 0.1])
    await systemClock.sleep(between(random, 1000, 5000))
    proxy.plan.latencyMs = [0, 0]
    proxy.plan.trickleShare = 0
  },
}

/** All of them in random order, then all again: so that no round leaves one out. */
function* shuffled(random: Xoshiro128): Generator<string, never> {
  for (let names: string[] = []; ; ) {
    if (names.length === 0) names = Object.keys(faults)
    const name = one(random, names)
    names = names.filter((other) => other !== name)
    yield name
  }
}

faultRounds(
  'a random mix of all, one every 5 s, with pauses',
  'three brokers, three instances, 300 s; all but a full disk',
  { short: 0, long: 5, timeoutMs: roundMs + 240_000 },
  async ({ random, seed }) => {
    const kafka = await startLocalKafka({ brokers: 3, sources: ['maven'] })
    cleanUpLater(() => kafka.close())
    const application = new Application('mix', { KAFKA_BROKERS: kafka.bootstrapServers })
    cleanUpLater(() => application.close())
    await application.createInput(4)
    const proxy = await KafkaProxy.start(kafka.bootstrapServers, new FatePlan(random), random)
    cleanUpLater(() => proxy.close())
    const member = (name: string): Member => {
      const stateDir = join(application.stateDir, name)
      mkdirSync(stateDir)
      return { stateDir, process: start(application, proxy, stateDir) }
    }
    const world: World = {
      kafka,
      application,
      proxy,
      members: [member('a'), member('b'), member('c')],
      random,
    }
    const watch = new ProgressWatch(application)
    cleanUpLater(async () => void (await watch.end()))
    const load = new Load(application, { seed, batch: 200, pauseMs: 50 })
    cleanUpLater(async () => void (await load.end()))

    const inflicted = await inflictAll(world)
    proxy.plan.calm()
    const expected = await load.end()
    const report = await expectExact(application, expected, 120_000)
    const stalledMs = await watch.end()
    for (const { process } of world.members) expect(await process.stop(), process.tail()).toBe(0)
    expect(proxy.plan.struckCount).toBeGreaterThan(0)
    expect(new Set(inflicted)).toEqual(new Set(Object.keys(faults)))
    return { logins: report.logins.valid + report.logins.invalid, faults: inflicted.length, stalledMs }
  },
)

/** Resolves after the time of the round, with the names of what it has inflicted. */
async function inflictAll(world: World): Promise<string[]> {
  const { random, members } = world
  const deadline = systemClock.monotonic() + roundMs
  const inflicted: string[] = []
  for (const name of shuffled(random)) {
    if (systemClock.monotonic() > deadline) break
    await systemClock.sleep(random.chance(quiet.chance) ? quiet.ms : between(random, 0, longestPauseMs))
    inflicted.push(name)
    await faults[name]?.(world)
    for (const { process } of members) {
      expect(process.isRunning, `${inflicted.join('; ')}\n${process.tail()}`).toBe(true)
    }
  }
  return inflicted
}
