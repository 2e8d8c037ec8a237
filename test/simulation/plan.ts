/** What a seed decides before anything runs: the shape of the application, and how likely each fault is. */
import type { TransactionScope } from '../../src/streams/index.ts'
import type { SeededRandom } from './random.ts'

export interface Plan {
  readonly processes: number
  /** As many as processes, or fewer: then some share one. */
  readonly machines: number
  readonly nodes: number
  readonly inputPartitions: number
  readonly statsPartitions: number
  readonly dimensions: string
  readonly windows: string
  readonly panes: number
  readonly hasEnriched: boolean
  readonly followsWallClock: boolean
  readonly leavesGroup: boolean
  readonly standbyReplicas: number
  /** A store that is at most so many changelog records behind counts as warm. */
  readonly acceptableLag: number
  readonly commitIntervalMs: number
  readonly purgeIntervalMs: number
  readonly transactionTimeoutMs: number
  /** Of an instance's first life, its second, and so on, over and over: a group may have members of both. */
  readonly transactionScopes: readonly TransactionScope[]
  readonly sessionTimeoutMs: number
  readonly maxUncommittedBytes: number
  readonly maxMessageBytes: number
  readonly segmentBatches: number
  /** How long faults happen. */
  readonly safetyMs: number
  readonly batches: number
  readonly recordsPerBatch: number
  readonly invalidShare: number
  readonly abortShare: number
  readonly markerDelayMs: number
  readonly initialRebalanceDelayMs: number
  readonly diskLatencyMs: number
  readonly skewMs: number
  /** Chances per request. */
  readonly network: {
    readonly latencyMs: number
    readonly unreachable: number
    readonly loseRequest: number
    readonly arriveLate: number
    readonly loseAnswer: number
    readonly delay: number
    readonly longestDelayMs: number
    readonly errorAnswer: number
    readonly corrupt: number
    readonly longestSilenceMs: number
  }
  /** Chance that a process is killed at a request or at an operation of its disk, and after a step of a commit or take-over. */
  readonly crashAtCall: number
  readonly crashAtStep: number
  /** Chance that a process is stopped after such a step. */
  readonly stopAtStep: number
  /** Mean times between events, in ms; 0 for never. */
  readonly every: {
    readonly kill: number
    readonly stop: number
    readonly term: number
    readonly rebalance: number
    readonly fence: number
    /** The coordinator forgets a transactional id that is idle. */
    readonly forgetId: number
    readonly moveLeader: number
    readonly moveCoordinator: number
    readonly nodeDown: number
    readonly compaction: number
    readonly fullDisk: number
    /** A bit of an open store flips. */
    readonly bitFlip: number
    readonly clockJump: number
    readonly grow: number
    /** Records of the input below the committed offset are deleted. */
    readonly retention: number
    /** Somebody else leaves a transaction open, in the input or a changelog. */
    readonly hang: number
    /** A copy of a machine's disk is started elsewhere: a process with the state and the name of another. */
    readonly clone: number
  }
  readonly longestStopMs: number
  readonly longestDownMs: number
  /** Once, logins are deleted that have not been counted: then no process may go on. */
  readonly losesInput: boolean
  readonly longestHangMs: number
  /** How long a new leader does not know its high watermark, at the most; 0: it always does. */
  readonly longestLagMs: number
  readonly longestClockJumpMs: number
  /** Chances at the end of a process that was killed. */
  readonly atKill: { readonly machineDown: number; readonly damage: number; readonly diskLost: number }
}

export interface PlanOptions {
  readonly faults: boolean
  /** Faults that are left out, by name. */
  readonly without: readonly string[]
}

export function drawPlan(random: SeededRandom, { faults, without }: PlanOptions): Plan {
  const plan = draw(random, faults)
  return {
    ...plan,
    network: leftOut(plan.network, without),
    every: leftOut(plan.every, without),
    atKill: leftOut(plan.atKill, without),
    crashAtCall: without.includes('crashAtCall') ? 0 : plan.crashAtCall,
    crashAtStep: without.includes('crashAtStep') ? 0 : plan.crashAtStep,
    stopAtStep: without.includes('stopAtStep') ? 0 : plan.stopAtStep,
    losesInput: plan.losesInput && !without.includes('losesInput'),
  }
}

function leftOut<T extends Readonly<Record<string, number>>>(chances: T, without: readonly string[]): T {
  const entries = Object.entries(chances).map(([name, value]) => [name, without.includes(name) ? 0 : value])
  return Object.fromEntries(entries)
}

function draw(random: SeededRandom, faults: boolean): Plan {
  /** Some of the faults are absent from a run, so that the others come through. */
  const share = random.pick([0.2, 0.5, 0.5, 0.8])
  const maybe = (low: number, high: number): number => {
    const value = random.logarithmic(low, high)
    return random.chance(share) && faults ? round(value) : 0
  }
  const safetyMs = Math.round(random.logarithmic(1000, 5000))
  const processes = 1 + random.below(3)
  const plan = {
    processes,
    machines: random.chance(0.25) ? 1 + random.below(processes) : processes,
    nodes: 1 + random.below(3),
    inputPartitions: random.pick([1, 1, 2, 3]),
    statsPartitions: random.pick([1, 1, 2, 3]),
    dimensions: random.pick([
      'locale',
      'device_type',
      'locale,device_type',
      'locale+device_type',
      'locale+app_version',
    ]),
    windows: random.pick(['', '10s', '5s,1m', '1m,1h']),
    panes: random.pick([5, 10]),
    hasEnriched: random.chance(0.3),
    followsWallClock: random.chance(0.2),
    leavesGroup: random.chance(0.5),
    commitIntervalMs: Math.round(
      random.chance(0.15) ? random.logarithmic(500, 3000) : random.logarithmic(5, 500),
    ),
    transactionTimeoutMs: Math.round(random.logarithmic(600, 5000)),
    sessionTimeoutMs: Math.round(random.logarithmic(400, 4000)),
    maxUncommittedBytes: random.chance(0.2) ? Math.round(random.logarithmic(500, 50_000)) : 16 << 20,
    maxMessageBytes: random.chance(0.3) ? 1000 : 1_048_588,
    segmentBatches: random.pick([0, 2, 10]),
    safetyMs,
    batches: Math.round(random.logarithmic(8, 40)),
    recordsPerBatch: Math.round(random.logarithmic(2, 16)),
    invalidShare: random.pick([0, 0.05, 0.3]),
    abortShare: random.pick([0, 0.2, 0.5]),
    markerDelayMs: round(random.chance(0.15) ? random.logarithmic(200, 2000) : random.logarithmic(0.5, 200)),
    initialRebalanceDelayMs: random.chance(0.2) ? 300 : 0,
    diskLatencyMs: round(random.logarithmic(0.05, 20)),
    skewMs: random.chance(0.3) ? 2000 : 0,
    network: {
      latencyMs: round(random.logarithmic(0.2, 20)),
      unreachable: maybe(0.001, 0.08),
      loseRequest: maybe(0.0005, 0.03),
      arriveLate: maybe(0.2, 1),
      loseAnswer: maybe(0.0005, 0.03),
      delay: maybe(0.002, 0.08),
      longestDelayMs: Math.round(random.logarithmic(50, 12_000)),
      errorAnswer: maybe(0.002, 0.08),
      corrupt: maybe(0.01, 0.2),
      longestSilenceMs: Math.round(random.logarithmic(5, 12_000)),
    },
    crashAtCall: maybe(0.0001, 0.005),
    crashAtStep: maybe(0.002, 0.08),
    stopAtStep: maybe(0.001, 0.04),
    every: {
      kill: maybe(250, 3500),
      stop: maybe(250, 3500),
      term: maybe(300, 4500),
      rebalance: maybe(200, 3000),
      fence: maybe(120, 3000),
      forgetId: maybe(120, 3000),
      moveLeader: maybe(120, 3000),
      moveCoordinator: maybe(250, 3000),
      nodeDown: maybe(500, 4500),
      compaction: maybe(120, 1800),
      fullDisk: maybe(600, 4500),
      bitFlip: maybe(300, 4500),
      clockJump: maybe(300, 3000),
      grow: maybe(1200, 12_000),
      retention: maybe(200, 3000),
      hang: maybe(300, 3000),
    },
    longestStopMs: Math.round(random.logarithmic(150, 9000)),
    longestDownMs: Math.round(random.logarithmic(50, 5000)),
    losesInput: random.chance(0.03) && faults,
    longestHangMs: Math.round(random.logarithmic(200, 6000)),
    longestLagMs: maybe(10, 2000),
    longestClockJumpMs: Math.round(random.logarithmic(100, 100_000)),
    atKill: {
      machineDown: maybe(0.1, 1),
      damage: maybe(0.05, 0.8),
      diskLost: maybe(0.02, 0.3),
    },
    purgeIntervalMs: random.pick([30_000, 1000, 100, 100]),
    standbyReplicas: random.pick([0, 0, 1, 2]),
    acceptableLag: random.pick([10_000, 10, 0]),
    transactionScopes: random.pick([['task'], ['thread'], ['task', 'thread']] as const),
  }
  // Last, and in few runs: it ends processes that are well otherwise.
  const clone = random.chance(0.3) ? maybe(300, 3000) : 0
  return { ...plan, every: { ...plan.every, clone } }
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}
