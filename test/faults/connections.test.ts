/**
 * Connections: the processors reach the broker through a proxy that delays, cuts, silences and loses; the load and the oracle
 * go direct. What bounds a time without progress are the processor's own time-outs, which no setting shortens but that of the
 * session:
 *
 *   2 s      a heartbeat (a third of the session time-out)
 *   5 s      look-ups, connecting
 *   6 s      the session, after which the others take over
 *   7.5 s    each call of a transaction (three quarters of its time-out of 10 s)
 *   10.25 s  a fetch
 *   15 s     JoinGroup and SyncGroup of a member that the group knows
 *   70 s     the first JoinGroup, which the broker may hold back for as long as a rebalance takes
 */
import { afterEach, expect } from 'vitest'
import type { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { between } from '../support/between.ts'
import { bootstrapServers } from '../support/broker.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { faultRounds, type Round, type Rounds } from '../support/fault-rounds.ts'
import { type Instance, wipes } from '../support/instance.ts'
import { Load } from '../support/load.ts'
import { expectExact } from '../support/oracle.ts'
import { ProgressWatch } from '../support/progress.ts'
import { expectStoresAgree } from '../support/store-check.ts'
import { FatePlan, type Silence } from '../support/tcp-proxy/fate.ts'
import type { Direction, ProxiedApi } from '../support/tcp-proxy/frames.ts'
import { KafkaProxy } from '../support/tcp-proxy/kafka-proxy.ts'

const row = 'connections: latency, reset, half-open, answers dropped, EndTxn delayed past its time-out'
const roundMs = { taste: 8_000, short: 20_000, long: 60_000 }
const sessionTimeoutMs = 6000
/** What a call of a transaction may take. */
const callMs = 7500

afterEach(cleanUpAll)

interface World {
  readonly proxy: KafkaProxy
  readonly plan: FatePlan
  readonly random: Xoshiro128
  /** Stops and starts a third instance, so that there are joins and take-overs. */
  shuffleMembers(): Promise<void>
}

/** Inflicts something; the next one follows after the pause. Resolves with how many faults it inflicted that the plan does not count. */
type Fault = (world: World) => Promise<number>

interface Case {
  readonly name: string
  readonly rounds: Rounds
  /** Between two faults, in milliseconds. */
  readonly pauseMs: readonly [low: number, high: number]
  /**
   * The longest time without progress that the time-outs above explain, with reserve for a loaded machine. Where answers vanish, all
   * members may wait for their first JoinGroup at once: rare, but then it is 70 s.
   */
  readonly stallLimitMs: number
  readonly fault: Fault
  /** Whether so much has happened that the case has shown something. */
  isShown(world: World, faults: number): boolean
  expectOfBroker?(world: World): void
}

const silences = ['requests', 'answers', 'both'] as const satisfies readonly Silence[]
const transactionApis = [
  'Produce',
  'AddPartitionsToTxn',
  'AddOffsetsToTxn',
  'TxnOffsetCommit',
  'EndTxn',
] as const satisfies readonly ProxiedApi[]
const readApis = [
  'Heartbeat',
  'Fetch',
  'FindCoordinator',
  'Metadata',
] as const satisfies readonly ProxiedApi[]
const rareApis = [
  'InitProducerId',
  'JoinGroup',
  'SyncGroup',
  'OffsetFetch',
  'ListOffsets',
] as const satisfies readonly ProxiedApi[]

async function changeLatency({ plan, random }: World): Promise<number> {
  const longestMs = random.pick([5, 20, 100, 300])
  plan.latencyMs = [0, longestMs]
  plan.trickleShare = random.pick([0, 0.1, 0.5])
  // A spike, shorter than any time-out of the call.
  plan.strike(random.pick(transactionApis), random.pick(['request', 'answer']), {
    kind: 'trickle',
    delayMs: between(random, 500, 2000),
  })
  return 1
}

async function reset({ proxy, plan, random }: World): Promise<number> {
  const direction = random.pick<Direction>(['request', 'answer'])
  const share = random.pick([0, random.next(), 1])
  switch (random.below(4)) {
    case 0:
      proxy.anyConnection()?.reset()
      return 1
    case 1:
      plan.strike('any', direction, { kind: 'reset', share })
      return 0
    case 2:
      plan.strike(random.pick([...transactionApis, ...rareApis]), direction, { kind: 'reset', share })
      return 0
    default:
      if (random.chance(0.8)) return reset({ proxy, plan, random } as World)
      proxy.resetAll()
      return 1
  }
}

async function halfOpen({ proxy, plan, random }: World): Promise<number> {
  const silence = random.pick(silences)
  const resetAfterMs = random.chance(0.5) ? null : between(random, 500, 10_000)
  if (random.chance(0.5)) {
    proxy.anyConnection()?.silence(silence, resetAfterMs)
    return 1
  }
  const fate = { kind: 'half-open', share: random.next(), silence, resetAfterMs } as const
  plan.strike('any', random.pick<Direction>(['request', 'answer']), fate)
  return 0
}

async function dropAnswer({ plan, random, shuffleMembers }: World): Promise<number> {
  const apis: ProxiedApi[] = [...transactionApis, ...rareApis, ...readApis]
  const api = apis.filter((candidate) => !plan.isPending(candidate))[random.below(apis.length)]
  if (api !== undefined) plan.strike(api, 'answer', { kind: 'lose' })
  if (api === 'JoinGroup' || api === 'SyncGroup' || random.chance(0.1)) await shuffleMembers()
  return 0
}

async function delayEndTxn({ plan, random }: World): Promise<number> {
  // Just about when the client gives up; while it recovers; in its next transactions; long after that.
  const afterMs = random.pick([
    between(random, callMs - 50, callMs + 150),
    between(random, callMs - 500, callMs + 500),
    between(random, callMs, callMs + 3000),
    between(random, 0, 20_000),
  ])
  plan.strike('EndTxn', 'request', { kind: 'late', afterMs })
  return 0
}

async function refuse({ proxy, random }: World): Promise<number> {
  await proxy.refuse(between(random, 500, 8000))
  return 1
}

async function anything(world: World): Promise<number> {
  const { random, plan } = world
  if (random.chance(0.3)) {
    plan.latencyMs = [0, random.pick([0, 10, 50])]
    plan.trickleShare = random.pick([0, 0.2])
  }
  if (random.chance(0.03)) return refuse(world)
  return random.pick([reset, reset, halfOpen, dropAnswer, delayEndTxn])(world)
}

const cases: readonly Case[] = [
  {
    name: 'latency and jitter; frames byte by byte',
    rounds: { short: 0, long: 1 },
    pauseMs: [1000, 4000],
    // Nothing times out: some commits of five round trips, and a spike.
    stallLimitMs: 15_000,
    fault: changeLatency,
    isShown: ({ plan }) => plan.struckCount > 3,
  },
  {
    name: 'reset, idle and in the midst of requests and answers',
    rounds: { short: 0, long: 1 },
    pauseMs: [50, 800],
    stallLimitMs: 20_000,
    fault: reset,
    isShown: ({ plan }, faults) => plan.struckCount > 10 && faults > 5,
  },
  {
    name: 'half-open: requests, answers or both vanish, until a reset or for ever',
    rounds: { short: 0, long: 1 },
    pauseMs: [500, 4000],
    stallLimitMs: 90_000,
    fault: halfOpen,
    isShown: ({ plan }, faults) => plan.struckCount + faults > 8,
  },
  {
    name: 'answers dropped, though the broker has done what was asked',
    rounds: { short: 1, long: 1 },
    pauseMs: [300, 2500],
    stallLimitMs: 90_000,
    fault: dropAnswer,
    isShown: ({ plan }) => plan.struckCount > 3,
  },
  {
    name: 'EndTxn delayed past its time-out, and delivered then',
    rounds: { short: 1, long: 1 },
    pauseMs: [200, 3000],
    // One call, and the way back; two in a row may meet the last tasks that were running.
    stallLimitMs: 25_000,
    fault: delayEndTxn,
    isShown: ({ proxy }) => proxy.lateAnswers.length > 2,
    expectOfBroker: ({ proxy }) => {
      // In its own transaction (0), while that is being ended (51), or fenced by the next epoch (47): never in a later one.
      for (const { errorCode } of proxy.lateAnswers) expect([0, 47, 51]).toContain(errorCode)
    },
  },
  {
    name: 'connections refused for up to 8 s',
    rounds: { short: 0, long: 1 },
    pauseMs: [5000, 9000],
    // 8 s, and a rejoin, since the session is over by then; where the machine is slow, that may meet the next refusal.
    stallLimitMs: 30_000,
    fault: refuse,
    isShown: (_, faults) => faults > 2,
  },
  {
    name: 'all of them mixed',
    rounds: { taste: 1, short: 1, long: 1 },
    pauseMs: [50, 800],
    stallLimitMs: 90_000,
    fault: anything,
    isShown: ({ plan }, faults) => plan.struckCount + faults > 3,
  },
]

async function run(faultCase: Case, { random, seed, column }: Round) {
  const application = new Application('connections', { SESSION_TIMEOUT_MS: String(sessionTimeoutMs) })
  cleanUpLater(() => application.close())
  await application.createInput(4)
  const plan = new FatePlan(random)
  const proxy = await KafkaProxy.start(bootstrapServers(), plan, random)
  cleanUpLater(() => proxy.close())
  const start = (): Instance => application.start({ KAFKA_BROKERS: proxy.bootstrapServers })
  const instances = [start(), start()]
  const world: World = { proxy, plan, random, shuffleMembers }
  let third: Instance | null = null
  const leaving: Instance[] = []
  async function shuffleMembers(): Promise<void> {
    if (third === null) {
      third = start()
      return
    }
    // Before that it does not listen to signals.
    await third.line('it starts', ({ msg }) => msg === 'Starting')
    third.signal('SIGTERM')
    leaving.push(third)
    third = null
  }
  const watch = new ProgressWatch(application)
  cleanUpLater(async () => void (await watch.end()))
  const load = new Load(application, { seed, batch: 200, pauseMs: 50 })
  cleanUpLater(async () => void (await load.end()))
  await Promise.all(
    instances.map((instance) => instance.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')),
  )

  let faults = 0
  const startedAt = systemClock.monotonic()
  const isOver = (): boolean => {
    const elapsedMs = systemClock.monotonic() - startedAt
    // A fault that keeps everything still for long keeps others from happening; then the round takes longer.
    return elapsedMs >= (faultCase.isShown(world, faults) ? 1 : 3) * roundMs[column]
  }
  while (!isOver()) {
    await systemClock.sleep(between(random, ...faultCase.pauseMs))
    faults += await faultCase.fault(world)
  }
  plan.calm()
  const expected = await load.end()
  const report = await expectExact(application, expected, 120_000)
  const stalledMs = await watch.end()

  expect(faultCase.isShown(world, faults), `inflicted: ${faults} and ${plan.struckCount}`).toBe(true)
  faultCase.expectOfBroker?.(world)
  if (third !== null) await shuffleMembers()
  for (const instance of instances) instance.signal('SIGTERM')
  for (const instance of [...instances, ...leaving]) {
    expect(await instance.exited, instance.tail()).toBe(0)
    expect(wipes(instance)).toEqual([])
  }
  await expectStoresAgree(application)
  const inflicted = JSON.stringify([...plan.struck])
  expect(stalledMs, `time without progress; ${inflicted}`).toBeLessThan(faultCase.stallLimitMs)
  return {
    logins: report.logins.valid + report.logins.invalid,
    faults: faults + plan.struckCount,
    stalledMs,
  }
}

for (const faultCase of cases) {
  const rounds = { timeoutMs: 3 * roundMs.long + 240_000, ...faultCase.rounds }
  faultRounds(row, faultCase.name, rounds, (round) => run(faultCase, round))
}
