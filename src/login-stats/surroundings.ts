/**
 * What stands around the processor: the answers over HTTP, the metrics, the insights. None of it can make a count wrong, or stop the
 * processor. The table is followed while somebody asks, or insights are due from here.
 */
import type { Log } from '../ports/log.ts'
import { systemClock } from '../system/clock.ts'
import type { Config } from './config/index.ts'
import { FollowedTable } from './follow/followed-table.ts'
import { Summaries } from './follow/summary.ts'
import type { Answers } from './http/answers.ts'
import { GroupTasks } from './http/group-tasks.ts'
import type { HttpListener } from './http/http-listener.ts'
import { insightsOf } from './insights/insights.ts'
import { InsightsPublisher } from './insights/insights-publisher.ts'
import { kafkaOf } from './kafka-client.ts'
import { ProcessMetrics } from './metrics/process-metrics.ts'
import type { Processor } from './processor.ts'
import { whyNotReady } from './readiness.ts'
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
    this.#metrics = new ProcessMetrics({
      ...{ version, nodeVersion: process.version, inputTopic, processor },
      dimensions: dimensions.map(({ name }) => name),
      isReady: () => whyNotReady(processor).length === 0,
    })
    this.#followed = new FollowedTable({
      ...{ kafka: this.#kafka, clock: systemClock, log, tableTopic: outputTopic, dlqTopic },
      cacheDirectory: processor.cacheDirectory,
    })
    this.#answers = this.#allAnswers()
  }

  async close(): Promise<void> {
    // First: what waits for a broker ends at once.
    await this.#kafka.close()
    await this.#insights?.close()
    await this.#endHttp()
    await this.#followed.close()
  }

  async #serve(listener: HttpListener): Promise<void> {
    const { serve } = await import('./http/server.ts')
    const { log, metrics, answers } = { log: this.#log, metrics: this.#metrics, answers: this.#answers }
    this.#endHttp = await serve(listener, { version, answers, metrics, log })
  }

  #publishInsights(topic: string): void {
    const { appId, outputTopic, replicationFactor, minInsyncReplicas, insightsInterval } = this.#config
    this.#insights = new InsightsPublisher({
      ...{ kafka: this.#kafka, clock: systemClock, log: this.#log, appId, topic, outputTopic },
      ...{ replicationFactor, minInsyncReplicas, intervalMs: insightsInterval },
      status: () => this.#processor.status(),
      insights: () => this.#answers.insights(),
      hold: () => this.#answers.hold(),
      published: () => this.#metrics.insights.inc(),
    })
    this.#insights.start()
  }

  #allAnswers(): Answers {
    const processor = this.#processor
    const followed = this.#followed
    const summaries = new Summaries(
      systemClock,
      this.#config.dimensions.map(({ name }) => name),
    )
    const tasks = new GroupTasks({
      ...{ admin: this.#kafka.admin, clock: systemClock, topology: topologyOf(this.#config) },
      ...{ instance: processor.instanceId, status: () => processor.status() },
    })
    return {
      summary: (following, options) => summaries.of(following, options),
      complete: () => followed.complete(),
      begin: () => followed.begin(),
      hold: () => followed.hold(),
      tasks: () => tasks.tasks(),
      report: async () => tasks.report(),
      insights: async () => await insightsOf(await followed.complete(), systemClock, processor.instanceId),
      readiness: () => {
        const reasons = whyNotReady(processor)
        return { status: reasons.length === 0 ? 'ok' : 'not ready', reasons }
      },
    }
  }
}
