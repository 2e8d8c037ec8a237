import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import { type LocalBroker, type LocalKafka, startLocalKafka } from '../../src/local-kafka/index.ts'
import type { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { faultRounds } from '../support/fault-rounds.ts'
import { type Instance, killAllInstances } from '../support/instance.ts'
import { Load } from '../support/load.ts'
import { expectExact } from '../support/oracle.ts'
import { ProgressWatch } from '../support/progress.ts'
import { allInSync } from '../support/whereabouts.ts'

const roundMs = 300_000
/** With the time that the faults themselves take, about one every 5 s. */
const longestPauseMs = 4000
/** Now and then all is left alone, so that there is something to break again. */
const quiet = { chance: 0.1, ms: 15_000 }
const sessionTimeoutMs = 6000
const cleanUps: (() => void | Promise<void>)[] = []

afterEach(async () => {
  await killAllInstances()
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

/** One processor with a machine of its own: its state directory outlives its processes. */
interface Member {
  readonly stateDir: string
  process: Instance
}

interface World {
  readonly kafka: LocalKafka
  readonly application: Application
  readonly members: readonly Member[]
  readonly random: Xoshiro128
}

type Fault = (world: World) => Promise<void>

function between(random: Xoshiro128, low: number, high: number): number {
  return low + (high - low) * random.next()
}

function pick<T>(random: Xoshiro128, items: readonly T[]): T {
  const item = items[Math.floor(random.next() * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

function start(application: Application, stateDir: string): Instance {
  return application.start({ STATE_DIR: stateDir, SESSION_TIMEOUT_MS: String(sessionTimeoutMs) })
}

async function restart(world: World, end: (member: Member) => Promise<void>): Promise<void> {
  const member = pick(world.random, world.members)
  await end(member)
  member.process = start(world.application, member.stateDir)
}

/**
 * One of them, once all replicas are in sync: with a second one away partitions would have no leader, and Kafka 4.3.0 then loses
 * markers of transactions (KAFKA-20734).
 */
async function anyBroker({ random, kafka, application }: World): Promise<LocalBroker> {
  await allInSync(application.config.brokers)
  return pick(random, kafka.brokers)
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
  'SIGTERM, restart': (world) =>
    restart(world, async ({ process }) => {
      expect(await process.stop(), process.tail()).toBe(0)
    }),
  'SIGSTOP, SIGCONT': async ({ random, members }) => {
    const { process } = pick(random, members)
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
}

faultRounds(
  'a random mix of all, one every 5 s, with pauses',
  'three brokers, three instances, 300 s',
  { short: 0, long: 5, timeoutMs: roundMs + 240_000 },
  async ({ random, seed }) => {
    const kafka = await startLocalKafka({ brokers: 3, sources: ['maven'] })
    cleanUps.push(() => kafka.close())
    const application = new Application('mix', { KAFKA_BROKERS: kafka.bootstrapServers })
    cleanUps.push(() => application.close())
    await application.createInput(4)
    const members = ['a', 'b', 'c'].map((name) => {
      const stateDir = join(application.stateDir, name)
      mkdirSync(stateDir)
      return { stateDir, process: start(application, stateDir) }
    })
    const world: World = { kafka, application, members, random }
    const watch = new ProgressWatch(application)
    const load = new Load(application, { seed, batch: 200, pauseMs: 50 })
    const deadline = systemClock.monotonic() + roundMs
    const inflicted: string[] = []
    while (systemClock.monotonic() < deadline) {
      await systemClock.sleep(random.next() < quiet.chance ? quiet.ms : between(random, 0, longestPauseMs))
      const name = pick(random, Object.keys(faults))
      inflicted.push(name)
      await faults[name]?.(world)
      for (const { process } of members) {
        expect(process.isRunning, `${inflicted.join('; ')}\n${process.tail()}`).toBe(true)
      }
    }
    const expected = await load.end()
    const report = await expectExact(application, expected, 120_000)
    const stalledMs = await watch.end()
    for (const { process } of members) expect(await process.stop(), process.tail()).toBe(0)
    return { logins: report.logins.valid + report.logins.invalid, faults: inflicted.length, stalledMs }
  },
)
