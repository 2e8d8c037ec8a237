/**
 * What stands around the processor: the answers over HTTP, the metrics, the insights. None of it can make a count wrong, or stop the
 * processor. The table is followed while somebody asks, or insights are due from here.
 */
import type { Log } from '../ports/log.ts'
import { systemClock } from '../system/clock.ts'
import type { Part } from './closing.ts'
import type { Config } from './config/index.ts'
import { FollowedTable } from './follow/followed-table.ts'
import type { Answers } from './http/answers.ts'
import { GroupTasks } from './http/group-tasks.ts'
import type { HttpListener } from './http/http-listener.ts'
import { ownAnswers } from './http/own-answers.ts'
import { insightsOf } from './insights/insights.ts'
import { InsightsPublisher } from './insights/insights-publisher.ts'
import { kafkaOf } from './kafka-client.ts'
import { ProcessMetrics } from './metrics/process-metrics.ts'
import type { Processor } from './processor.ts'
import { topologyOf } from './topology.ts'
import { version } from './version.ts'

export class Surroundings {
  readonly #config: Config
  readonly #log: Log
  readonly #processor: Processor
  readonly #kafka: ReturnType<typeof kafkaOf>
  readonly #metrics: ProcessMetrics
  readonly #followed: FollowedTable
  readonly #answers: Answers
  #endHttp: () => Promise<void> = async () => undefined
  #insights: InsightsPublisher | null = null

  static async open(
    config: Config,
    log: Log,
    processor: Processor,
    listener: HttpListener | null,
  ): Promise<Surroundings> {
    const surroundings = new Surroundings(config, log, processor)
    if (listener !== null) await surroundings.#serve(listener)
    if (config.insightsTopic !== null) surroundings.#publishInsights(config.insightsTopic)
    return surroundings
  }

  private constructor(config: Config, log: Log, processor: Processor) {
    this.#config = config
    this.#log = log
    this.#processor = processor
    // Connects when something is asked of it.
    this.#kafka = kafkaOf(config, log, `${config.appId}-service`)
    const { inputTopic, outputTopic, dlqTopic, dimensions } = config
    const tasks = new GroupTasks({
      ...{ admin: this.#kafka.admin, clock: systemClock, topology: topologyOf(config) },
      ...{ instance: processor.instanceId, status: () => processor.status() },
    })
    this.#metrics = new ProcessMetrics({
      ...{ version, nodeVersion: process.version, inputTopic, processor, log },
      dimensions: dimensions.map(({ name }) => name),
      lags: () => tasks.lags(),
    })
    this.#followed = new FollowedTable({
      ...{ kafka: this.#kafka, clock: systemClock, log, tableTopic: outputTopic, dlqTopic },
      cacheDirectory: processor.cacheDirectory,
    })
    this.#answers = ownAnswers({ config, tasks, followed: this.#followed, processor })
  }

  /** What is to be closed, in this order. */
  parts(): Part[] {
    return [
      // First: what waits for a broker, or for the table, ends at once.
      { name: 'the connections to Kafka', close: () => this.#kafka.close() },
      { name: 'the table', close: () => this.#followed.close() },
      { name: 'the insights', close: async () => await this.#insights?.close() },
      { name: 'the HTTP server', close: () => this.#endHttp() },
    ]
  }

  async #serve(listener: HttpListener): Promise<void> {
    const { serve } = await import('./http/server.ts')
    this.#endHttp = await serve(listener, {
      ...{ version, answers: this.#answers, metrics: this.#metrics, log: this.#log },
    })
  }

  #publishInsights(topic: string): void {
    const { outputTopic, replicationFactor, minInsyncReplicas, insightsInterval } = this.#config
    this.#insights = new InsightsPublisher({
      ...{ kafka: this.#kafka, clock: systemClock, log: this.#log, topic, outputTopic },
      ...{ topology: topologyOf(this.#config), instance: this.#processor.instanceId },
      ...{ replicationFactor, minInsyncReplicas, intervalMs: insightsInterval },
      status: () => this.#processor.status(),
      // However many others ask, the record of this interval is made.
      insights: async () =>
        await insightsOf(await this.#followed.complete(), systemClock, this.#processor.instanceId),
      tableCurrentAt: async () => (await this.#followed.begin()).table.currentAt,
      hold: () => this.#followed.hold(),
      published: () => this.#metrics.insights.inc(),
    })
    this.#insights.start()
  }
}
