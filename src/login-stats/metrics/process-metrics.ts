/** The metrics of the process, and those of its stream threads beside them, in the text format of Prometheus. */
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { systemClock } from '../../system/clock.ts'
import type { Processor } from '../processor.ts'
import { ownedCountsOf, threadMetricsOf } from '../thread-questions.ts'
import type { PlainMetrics } from './thread-metrics.ts'

const prefix = 'login_stats_'
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
  isReady(): boolean
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

  constructor(options: ProcessMetricsOptions) {
    this.#options = options
    const registers = [this.#registry]
    collectDefaultMetrics({ register: this.#registry })
    this.requests = new Histogram({
      name: `${prefix}http_request_duration_seconds`,
      help: 'How long requests to the HTTP server took.',
      labelNames: ['method', 'route', 'status'],
      buckets: requestBuckets,
      registers,
    })
    this.streamClients = new Gauge({
      name: `${prefix}stream_clients`,
      help: 'Clients that follow the stream of events.',
      registers,
    })
    this.insights = new Counter({
      name: `${prefix}insights_published_total`,
      help: 'Summary records written by this instance.',
      registers,
    })
    new Gauge({
      name: `${prefix}build_info`,
      help: 'Always 1; what runs stands in the labels.',
      labelNames: ['version', 'node'],
      registers,
    }).set({ version: options.version, node: options.nodeVersion }, 1)
    this.#registerStatus()
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
    const threads = await threadMetricsOf(processor)
    const counts = await this.#countsOf(processor)
    const all = (await this.#registry.getMetricsAsJSON()) as PlainMetrics
    // Some that prom-client brings would be left out where several processes are added up, such as the time of the start. Here is one.
    const own = all.map((metric) => ({ ...metric, aggregator: 'first' as const }))
    return await AggregatorRegistry.aggregate([own, ...threads, counts]).metrics()
  }

  /** What the status of the tasks says, read when it is asked for. */
  #registerStatus(): void {
    const { processor, isReady } = this.#options
    const status = () => processor.status()
    this.#gauge('ready', 'Whether every assigned task is running.', [], (gauge) =>
      gauge.set(Number(isReady())),
    )
    const restarts = new Counter({
      name: `${prefix}thread_restarts_total`,
      help: 'Stream threads that were started again after a crash.',
      registers: [this.#registry],
      collect: () => {
        restarts.reset()
        restarts.inc(processor.threadRestarts())
      },
    })
    this.#gauge(
      'task_state',
      'Always 1; the state of the task stands in the label.',
      ['task', 'state'],
      (gauge) => {
        for (const { task, state } of status()) gauge.set({ task, state }, 1)
      },
    )
    this.#gauge(
      'task_lag_records',
      'Committed records of its input that the task has not processed yet.',
      ['task'],
      (gauge) => {
        for (const { task, state, lag } of status())
          if (state !== 'standby' && lag !== null) gauge.set({ task }, lag)
      },
    )
    this.#gauge(
      'task_lag_seconds',
      'How old the last processed record is, while there are more; else 0.',
      ['task'],
      (gauge) => {
        for (const { task, lagSeconds } of status()) if (lagSeconds !== null) gauge.set({ task }, lagSeconds)
      },
    )
    this.#gauge(
      'standby_lag_records',
      'Changelog records that a standby copy is behind.',
      ['task'],
      (gauge) => {
        for (const { task, state, lag } of status())
          if (state === 'standby' && lag !== null) gauge.set({ task }, lag)
      },
    )
    this.#gauge(
      'restore_remaining_records',
      'Changelog offsets that a restore under way has before it.',
      ['task'],
      (gauge) => {
        for (const { task, restore } of status())
          if (restore !== null) gauge.set({ task }, restore.end - restore.position)
      },
    )
    this.#gauge(
      'restore_remaining_seconds',
      'How long a restore under way will take, at its pace so far.',
      ['task'],
      (gauge) => {
        for (const { task, restore } of status()) {
          if (restore !== null && restore.remainingSeconds !== null)
            gauge.set({ task }, restore.remainingSeconds)
        }
      },
    )
    this.#gauge('store_entries', 'Committed entries of the store.', ['task'], (gauge) => {
      for (const { task, storeEntries } of status())
        if (storeEntries !== null) gauge.set({ task }, storeEntries)
    })
    this.#gauge('store_size_bytes', 'Size of the store on disk.', ['task'], async (gauge) => {
      for (const { task, storeEntries } of status()) {
        if (storeEntries !== null) gauge.set({ task }, await processor.storeSizeInBytes(task))
      }
    })
    this.#gauge(
      'overlay_size_bytes',
      'What the task holds in memory until its next commit.',
      ['task'],
      (gauge) => {
        for (const { task, state, uncommittedBytes } of status()) {
          if (state !== 'standby') gauge.set({ task }, uncommittedBytes)
        }
      },
    )
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    collect: (gauge: Gauge<Label>) => Promise<void> | void,
  ): void {
    const gauge = new Gauge({
      name: `${prefix}${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect: async () => {
        gauge.reset()
        await collect(gauge)
      },
    })
  }

  async #countsOf(processor: Processor): Promise<PlainMetrics> {
    const { inputTopic, dimensions } = this.#options
    const wanted = namedDimensions.filter((name) => dimensions.includes(name))
    const counts = await ownedCountsOf(processor, wanted)
    const registry = new Registry()
    const registers = [registry]
    const total = new Gauge({
      ...{ name: 'total_count', help: 'Logins counted, by the owner of the total.', registers },
      labelNames: ['record_type', 'topic'],
    })
    for (const name of wanted) {
      const gauge = new Gauge({
        ...{
          name: `${name}_count`,
          help: `Logins counted by ${name}, by the owners of the rows.`,
          registers,
        },
        labelNames: [name, 'topic'],
      })
      for (const { dimension, value, count } of counts) {
        if (dimension === name) gauge.set({ [name]: value, topic: inputTopic }, count)
      }
    }
    for (const { dimension, count } of counts) {
      if (dimension === 'total') total.set({ record_type: 'valid', topic: inputTopic }, count)
    }
    return (await registry.getMetricsAsJSON()) as PlainMetrics
  }
}
