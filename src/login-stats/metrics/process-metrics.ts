/** The metrics of the process, and those of its stream threads beside them, in the text format of Prometheus. */
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Log } from '../../ports/log.ts'
import { systemClock } from '../../system/clock.ts'
import type { Processor } from '../processor.ts'
import { whyNotReady } from '../readiness.ts'
import { ownedCountsOf, threadMetricsOf } from '../thread-questions.ts'
import { countGauges } from './count-gauges.ts'
import { addEventLoopGauge, mainThread } from './event-loop-gauge.ts'
import { withKnownLags } from './known-lags.ts'
import { metricPrefix } from './metric-prefix.ts'
import { TaskGauges } from './task-gauges.ts'
import type { PlainMetrics } from './thread-metrics.ts'

const sharedMs = 1000
const requestBuckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10]
/** For dashboards of earlier systems; a dimension of this name must be counted. */
const namedDimensions = ['device_type', 'locale']

export interface ProcessMetricsOptions {
  readonly version: string
  readonly nodeVersion: string
  readonly inputTopic: string
  /** What is counted by. */
  readonly dimensions: readonly string[]
  readonly processor: Processor
  readonly log: Log
  /** By task, how many records of its input the group has not committed. */
  lags(): Promise<ReadonlyMap<string, number>>
}

export class ProcessMetrics {
  readonly #options: ProcessMetricsOptions
  readonly #registry = new Registry()
  #collected: { readonly at: number; readonly text: Promise<string> } | null = null
  /** How long the HTTP server took to answer. */
  readonly requests: Histogram<'method' | 'route' | 'status'>
  /** Clients that follow the stream of events. */
  readonly streamClients: Gauge
  readonly insights: Counter
  readonly #ready: Gauge
  readonly #threadRestarts: Counter
  readonly #tasks: TaskGauges

  constructor(options: ProcessMetricsOptions) {
    this.#options = options
    const registers = [this.#registry]
    collectDefaultMetrics({ register: this.#registry })
    this.requests = new Histogram({
      name: `${metricPrefix}http_request_duration_seconds`,
      help: 'How long requests to the HTTP server took.',
      labelNames: ['method', 'route', 'status'],
      buckets: requestBuckets,
      registers,
    })
    this.streamClients = new Gauge({
      name: `${metricPrefix}stream_clients`,
      help: 'Clients that follow the stream of events.',
      registers,
    })
    this.insights = new Counter({
      name: `${metricPrefix}insights_published_total`,
      help: 'Summary records written by this instance.',
      registers,
    })
    new Gauge({
      name: `${metricPrefix}build_info`,
      help: 'Always 1; what runs stands in the labels.',
      labelNames: ['version', 'node'],
      registers,
    }).set({ version: options.version, node: options.nodeVersion }, 1)
    this.#ready = new Gauge({
      name: `${metricPrefix}ready`,
      help: 'Whether every assigned task is running.',
      registers,
    })
    this.#threadRestarts = new Counter({
      name: `${metricPrefix}thread_restarts_total`,
      help: 'Stream threads that were started again after a crash.',
      registers,
    })
    this.#tasks = new TaskGauges(this.#registry)
    // A stream thread in this thread tells of it itself.
    if (options.processor.hasWorkers) addEventLoopGauge(this.#registry, mainThread)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** One collection serves all who ask within a second: it takes time from the stream threads. */
  async text(): Promise<string> {
    const now = systemClock.monotonic()
    if (this.#collected === null || now - this.#collected.at > sharedMs) {
      this.#collected = { at: now, text: this.#collect() }
    }
    return await this.#collected.text
  }

  async #collect(): Promise<string> {
    const { processor } = this.#options
    const [threads, counts] = await Promise.all([
      threadMetricsOf(processor),
      this.#countsOf(processor),
      this.#lookAt(processor),
    ])
    const all = (await this.#registry.getMetricsAsJSON()) as PlainMetrics
    // Some that prom-client brings would be left out where several processes are added up, such as the time of the start. Here is one.
    const own = all.map((metric) => ({ ...metric, aggregator: 'first' as const }))
    return await AggregatorRegistry.aggregate([own, ...threads, counts]).metrics()
  }

  /** What the processor says of itself when it is asked. */
  async #lookAt(processor: Processor): Promise<void> {
    this.#ready.set(Number(whyNotReady(processor).length === 0))
    this.#threadRestarts.reset()
    this.#threadRestarts.inc(processor.threadRestarts())
    const { log, lags } = this.#options
    const tasks = await withKnownLags(processor.status(), { clock: systemClock, log, lags })
    await this.#tasks.set(tasks, (task) => processor.storeSizeInBytes(task))
  }

  async #countsOf(processor: Processor): Promise<PlainMetrics> {
    const { inputTopic } = this.#options
    const dimensions = namedDimensions.filter((name) => this.#options.dimensions.includes(name))
    return await countGauges(await ownedCountsOf(processor, dimensions), { inputTopic, dimensions })
  }
}
