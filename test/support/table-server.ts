/**
 * The HTTP server of an instance without tasks, in the process of the test, so that it can have limits of the test's own, and be looked
 * into. The table comes from a real broker, and is asked for over HTTP.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FollowedTable } from '../../src/login-stats/follow/followed-table.ts'
import { GroupTasks } from '../../src/login-stats/http/group-tasks.ts'
import { HttpListener } from '../../src/login-stats/http/http-listener.ts'
import { ownAnswers } from '../../src/login-stats/http/own-answers.ts'
import { serve } from '../../src/login-stats/http/server.ts'
import { kafkaOf } from '../../src/login-stats/kafka-client.ts'
import { defaultLimits, type Limits } from '../../src/login-stats/limits.ts'
import { ProcessMetrics } from '../../src/login-stats/metrics/process-metrics.ts'
import type { Processor } from '../../src/login-stats/processor.ts'
import { topologyOf } from '../../src/login-stats/topology.ts'
import { systemClock } from '../../src/system/clock.ts'
import { createLogger } from '../../src/system/logger.ts'
import type { Application } from './application.ts'
import { cleanUpLater } from './clean-ups.ts'
import { HttpClient } from './http-client.ts'

export interface TableServer {
  readonly client: HttpClient
  readonly followed: FollowedTable
  /** For rows on disk. */
  readonly directory: string
}

/** Closed when the test ends. `brokers`: those of the application if absent. */
export async function openTableServer(
  application: Application,
  options: { readonly limits?: Partial<Limits>; readonly brokers?: string } = {},
): Promise<TableServer> {
  const { brokers = application.config.brokers.join(',') } = options
  const config = { ...application.config, brokers: brokers.split(',') }
  const limits = { ...defaultLimits, ...options.limits }
  const log = createLogger({ level: 'silent' })
  const directory = mkdtempSync(join(tmpdir(), 'table-server-'))
  const kafka = kafkaOf(config, log, `${config.appId}-table-server`)
  const { inputTopic, outputTopic: tableTopic } = config
  const processor = withoutTasks(directory)
  const followed = new FollowedTable({
    ...{ kafka, clock: systemClock, log, tableTopic, dlqTopic: null, cacheDirectory: directory, limits },
  })
  const tasks = new GroupTasks({
    ...{ admin: kafka.admin, clock: systemClock, topology: topologyOf(config) },
    ...{ instance: processor.instanceId, status: () => processor.status() },
  })
  const metrics = new ProcessMetrics({
    ...{ version: '0', nodeVersion: process.version, inputTopic, processor, dimensions: [], log },
    lags: () => tasks.lags(),
  })
  const listener = await HttpListener.open({ host: '127.0.0.1', port: 0, mustHavePort: true, log })
  const answers = ownAnswers({ config, tasks, followed, processor })
  const end = await serve(listener, { version: '0', answers, metrics, log, limits })
  cleanUpLater(async () => {
    await kafka.close()
    await end()
    await followed.close()
    await listener.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return { client: HttpClient.at(`http://127.0.0.1:${listener.port}`), followed, directory }
}

/** An instance to which the group has given nothing. */
function withoutTasks(cacheDirectory: string): Processor {
  return {
    ...{ instanceId: 'table-server', cacheDirectory, hasWorkers: false },
    ...{ run: async () => undefined, stop: () => undefined, close: async () => undefined },
    ...{ status: () => [], isAssigned: () => true, threadRestarts: () => 0 },
    storeSizeInBytes: async () => 0,
    ask: async () => [],
  }
}
