/**
 * The processor with what stands around it: the HTTP server, the metrics, the insights. None of that can make a count wrong, or stop the
 * processor; and none of it follows the table while nobody asks.
 */
import { hostname } from 'node:os'
import { CodedError } from '../errors.ts'
import type { Log } from '../ports/log.ts'
import { systemClock } from '../system/clock.ts'
import type { Config } from './config/index.ts'
import { FollowedTable } from './follow/followed-table.ts'
import type { Answers } from './http/answers.ts'
import type { Health } from './http/api-schemas.ts'
import { GroupTasks } from './http/group-tasks.ts'
import type { HttpServer } from './http/server.ts'
import { urlHost } from './http/url-host.ts'
import { insightsOf } from './insights/insights.ts'
import { InsightsPublisher } from './insights/insights-publisher.ts'
import { kafkaOf } from './kafka-client.ts'
import { ProcessMetrics } from './metrics/process-metrics.ts'
import { openProcessor, type Processor, type ProcessorOptions } from './processor.ts'
import { topologyOf } from './topology.ts'
import { version } from './version.ts'

export interface Service {
  /** Resolves after `stop`; rejects with the CodedError that ended it. */
  run(): Promise<void>
  stop(): void
  /** The port of the HTTP server; null without one. */
  readonly httpPort: number | null
  /** After `run` has ended. */
  close(): Promise<void>
}

const wildcardHosts = ['0.0.0.0', '::', '']

/** Listens, and opens the processor. Throws HTTP_PORT_IN_USE, STATE_DIR_UNUSABLE, CONFIG_INVALID, KAFKAJS_CHANGED. */
export async function openService(options: ProcessorOptions, log: Log): Promise<Service> {
  const { config } = options
  const surroundings = new Surroundings(config, log)
  try {
    const http = await surroundings.listen()
    const endpoint = http === null ? undefined : endpointOf(config, http.port)
    const processor = await openProcessor(endpoint === undefined ? options : { ...options, endpoint }, log)
    surroundings.attach(processor)
    return {
      run: () => processor.run(),
      stop: () => processor.stop(),
      httpPort: http?.port ?? null,
      close: async () => {
        await surroundings.close()
        await processor.close()
      },
    }
  } catch (error) {
    await surroundings.close()
    throw error
  }
}

function endpointOf({ httpAdvertisedUrl, httpHost }: Config, port: number): string {
  if (httpAdvertisedUrl !== null) return httpAdvertisedUrl
  const host = wildcardHosts.includes(httpHost) ? hostname() : httpHost
  return `http://${urlHost(host)}:${port}`
}

class Surroundings {
  readonly #config: Config
  readonly #log: Log
  readonly #kafka: ReturnType<typeof kafkaOf>
  readonly #metrics: ProcessMetrics
  #followed: FollowedTable | null = null
  #tasks: GroupTasks | null = null
  #processor: Processor | null = null
  #http: HttpServer | null = null
  #insights: InsightsPublisher | null = null

  constructor(config: Config, log: Log) {
    this.#config = config
    this.#log = log
    // Connects when something is asked of it.
    this.#kafka = kafkaOf(config, log, `${config.appId}-service`)
    this.#metrics = new ProcessMetrics({
      version,
      nodeVersion: process.version,
      inputTopic: config.inputTopic,
      dimensions: config.dimensions.map(({ name }) => name),
    })
  }

  async listen(): Promise<HttpServer | null> {
    const { httpHost, httpPort, sources } = this.#config
    if (httpPort === null) return null
    const { openHttpServer } = await import('./http/server.ts')
    this.#http = await openHttpServer({
      host: httpHost,
      port: httpPort,
      mustHavePort: sources.httpPort.from !== 'default',
      ...{ version, answers: this.#answers(), metrics: this.#metrics, log: this.#log },
    })
    return this.#http
  }

  attach(processor: Processor): void {
    const { outputTopic, dlqTopic, insightsTopic } = this.#config
    this.#processor = processor
    this.#followed = new FollowedTable({
      ...{ kafka: this.#kafka, clock: systemClock, log: this.#log },
      ...{ tableTopic: outputTopic, dlqTopic, cacheDirectory: processor.cacheDirectory },
    })
    this.#tasks = new GroupTasks({
      ...{ admin: this.#kafka.admin, clock: systemClock, topology: topologyOf(this.#config) },
      ...{ instance: processor.instanceId, status: () => processor.status() },
    })
    this.#metrics.attach(processor, () => this.#readiness().status === 'ok')
    if (insightsTopic !== null) this.#publishInsights(insightsTopic, processor)
  }

  async close(): Promise<void> {
    await this.#insights?.close()
    await this.#http?.close()
    await this.#followed?.close()
    await this.#kafka.close()
  }

  #publishInsights(topic: string, processor: Processor): void {
    const { appId, outputTopic, replicationFactor, minInsyncReplicas, insightsInterval } = this.#config
    const answers = this.#answers()
    this.#insights = new InsightsPublisher({
      ...{ kafka: this.#kafka, clock: systemClock, log: this.#log, appId, topic, outputTopic },
      ...{ replicationFactor, minInsyncReplicas, intervalMs: insightsInterval },
      status: () => processor.status(),
      insights: () => answers.insights(),
      hold: () => answers.hold(),
      published: () => this.#metrics.insights.inc(),
    })
    this.#insights.start()
  }

  #answers(): Answers {
    return {
      complete: () => this.#started(this.#followed).complete(),
      begin: () => this.#started(this.#followed).begin(),
      hold: () => this.#started(this.#followed).hold(),
      tasks: () => this.#started(this.#tasks).tasks(),
      report: async () => this.#started(this.#tasks).report(),
      insights: async () => {
        const { instanceId } = this.#started(this.#processor)
        const following = await this.#started(this.#followed).complete()
        return await insightsOf(following, { instance: instanceId, now: systemClock.now() })
      },
      readiness: () => this.#readiness(),
    }
  }

  #readiness(): Health {
    const processor = this.#processor
    const reasons: string[] = []
    if (processor === null) reasons.push('It is starting.')
    else if (!processor.isAssigned()) reasons.push('The group has not given this instance its tasks yet.')
    for (const { task, state } of processor?.status() ?? []) {
      if (state !== 'running' && state !== 'standby') reasons.push(`Task ${task} is ${state}.`)
    }
    return { status: reasons.length === 0 ? 'ok' : 'not ready', reasons }
  }

  /** The server listens before there is anything to tell. */
  #started<T>(part: T | null): T {
    if (part !== null) return part
    throw new CodedError('NOT_STARTED', { operation: 'answer over HTTP' })
  }
}
