/**
 * The metrics of one stream thread. They are gathered where the thread runs, and given to the process as plain data, with the label
 * `thread`: so a thread that is started again begins new series, and no counter of another one falls.
 */
import { Counter, Histogram, type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client'
import { type CodedError, type ErrorCode, errorTable } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { CommitFacts, EngineObserver, TransactionOutcome, WipeReason } from '../../streams/index.ts'
import { addEventLoopGauge } from './event-loop-gauge.ts'
import type { LoginMeter, TaskMeter } from './login-meter.ts'
import { metricPrefix } from './metric-prefix.ts'

export type PlainMetrics = MetricObjectWithValues<MetricValue<string>>[]

/** What a task has told since its last commit began, or what that commit takes along. */
class Told {
  counted = 0
  readonly invalid = new Map<string, number>()
  readonly late = new Map<string, number>()
}

/** Of records that cannot be counted. */
const recordCodes = Object.entries(errorTable).flatMap(([code, { behaviour }]) =>
  behaviour === 'skip' ? [code] : [],
)
const wipeReasons: readonly WipeReason[] = [
  'damaged',
  'foreign',
  'format',
  'beyond-end',
  'too-old',
  'write-failed',
]
const outcomes: readonly TransactionOutcome[] = ['committed', 'aborted', 'unknown']
const commitBuckets = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]
const latencyBuckets = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600]
const pauseBuckets = [0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60]

export class ThreadMetrics implements LoginMeter {
  readonly #registry = new Registry()
  readonly #clock: Clock
  readonly #told = new Map<string, { pending: Told; frozen: Told }>()
  readonly #logins = this.#counter('logins_total', 'Logins read in committed transactions.', ['outcome'])
  readonly #deadLetters = this.#counter(
    'dead_letters_total',
    'Invalid records, by error; dead letters where there is a topic for them.',
    ['code'],
  )
  readonly #late = this.#counter('late_records_total', 'Logins too old for a rolling window.', ['window'])
  readonly #latency = this.#histogram(
    'end_to_end_latency_seconds',
    'From the append of a login to the commit of its table row; of each commit the oldest login of each source transaction.',
    latencyBuckets,
  )
  readonly #commits = this.#histogram(
    'commit_duration_seconds',
    'How long the commit of a task takes; several may share a transaction.',
    commitBuckets,
  )
  readonly #transactions = this.#counter(
    'transactions_total',
    'Transactions, by outcome. With TRANSACTION_SCOPE=thread one commits what all tasks of a thread have.',
    ['outcome'],
  )
  readonly #errors = this.#counter('task_errors_total', 'Why tasks were taken over anew or given up.', [
    'code',
  ])
  readonly #rebalances = this.#counter('rebalances_total', 'Rebalances.', [])
  readonly #pauses = this.#histogram(
    'rebalance_duration_seconds',
    'How long the tasks of the thread stood still for a rebalance.',
    pauseBuckets,
  )
  readonly #restored = this.#counter('restored_records_total', 'Changelog records restored.', [])
  readonly #wipes = this.#counter(
    'store_wipes_total',
    'Stores deleted because they could not be proved right.',
    ['reason'],
  )
  readonly #stopWatching: () => void

  /** `windows`: names of the rolling ones. */
  constructor(thread: number, clock: Clock, windows: readonly string[]) {
    this.#clock = clock
    this.#registry.setDefaultLabels({ thread: String(thread) })
    this.#logins.inc({ outcome: 'counted' }, 0)
    this.#logins.inc({ outcome: 'invalid' }, 0)
    for (const outcome of outcomes) this.#transactions.inc({ outcome }, 0)
    // A series that begins with its first value has not grown, as monitoring sees it.
    for (const code of recordCodes) this.#deadLetters.inc({ code }, 0)
    for (const window of windows) this.#late.inc({ window }, 0)
    for (const reason of wipeReasons) this.#wipes.inc({ reason }, 0)
    this.#stopWatching = addEventLoopGauge(this.#registry, String(thread))
  }

  /** What it is told by the engine. */
  readonly observer: EngineObserver = {
    commitStep: (taskId, step) => {
      if (step === 1) this.#freeze(taskId)
    },
    committed: (taskId, facts) => this.#committed(taskId, facts),
    transactionEnded: (outcome) => this.#transactions.inc({ outcome }),
    // What was told since the last commit is dropped with it.
    taskChanged: (taskId, state) => {
      if (state !== 'running') this.#told.delete(taskId)
    },
    restored: (_, { restoredRecords }) => this.#restored.inc(restoredRecords),
    storeWiped: (_: string, reason: WipeReason) => this.#wipes.inc({ reason }),
    aborted: (_, { code }: CodedError) => this.#errors.inc({ code }),
    rebalanced: ({ durationMs }) => {
      this.#rebalances.inc()
      this.#pauses.observe(durationMs / 1000)
    },
  }

  of(taskId: string): TaskMeter {
    // Looked up each time: a take-over in between drops what was told before it.
    return {
      counted: (logins) => {
        this.#toldBy(taskId).pending.counted += logins
      },
      invalid: (code: ErrorCode) => add(this.#toldBy(taskId).pending.invalid, code, 1),
      late: (window, logins) => add(this.#toldBy(taskId).pending.late, window, logins),
    }
  }

  /** Copies, fit to be sent to another thread. */
  async collect(): Promise<PlainMetrics> {
    const metrics = await this.#registry.getMetricsAsJSON()
    return metrics.map(({ name, help, type, aggregator, values }) => ({
      ...{ name, help, type, aggregator },
      values: values.map((value) => ({ ...value })),
    })) as PlainMetrics
  }

  close(): void {
    this.#stopWatching()
  }

  #toldBy(taskId: string): { pending: Told; frozen: Told } {
    const told = this.#told.get(taskId) ?? { pending: new Told(), frozen: new Told() }
    this.#told.set(taskId, told)
    return told
  }

  #freeze(taskId: string): void {
    const told = this.#told.get(taskId)
    if (told === undefined) return
    told.frozen = told.pending
    told.pending = new Told()
  }

  #committed(taskId: string, { durationMs, originAt }: CommitFacts): void {
    this.#commits.observe(durationMs / 1000)
    if (originAt !== null) this.#latency.observe(Math.max(0, this.#clock.now() - originAt) / 1000)
    const told = this.#told.get(taskId)
    if (told === undefined) return
    this.#logins.inc({ outcome: 'counted' }, told.frozen.counted)
    for (const [code, count] of told.frozen.invalid) {
      this.#logins.inc({ outcome: 'invalid' }, count)
      this.#deadLetters.inc({ code }, count)
    }
    for (const [window, count] of told.frozen.late) this.#late.inc({ window }, count)
    told.frozen = new Told()
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name: `${metricPrefix}${name}`, help, labelNames, registers: [this.#registry] })
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name: `${metricPrefix}${name}`, help, buckets, registers: [this.#registry] })
  }
}

function add(counts: Map<string, number>, name: string, more: number): void {
  counts.set(name, (counts.get(name) ?? 0) + more)
}
