/** The routes over real HTTP in the process of the test, with a table of the test's own and without Kafka. */
import type { Following } from '../../src/login-stats/follow/followed-table.ts'
import { Scans } from '../../src/login-stats/follow/scans.ts'
import type { Answers } from '../../src/login-stats/http/answers.ts'
import { HttpListener } from '../../src/login-stats/http/http-listener.ts'
import { serve } from '../../src/login-stats/http/server.ts'
import { defaultLimits } from '../../src/login-stats/limits.ts'
import { ProcessMetrics } from '../../src/login-stats/metrics/process-metrics.ts'
import type { Processor } from '../../src/login-stats/processor.ts'
import { type KeyedRow, LoginStatsTable } from '../../src/login-stats/table/index.ts'
import type { Log } from '../../src/ports/log.ts'
import { createLogger } from '../../src/system/logger.ts'
import { cleanUpLater } from './clean-ups.ts'
import { HttpClient } from './http-client.ts'

/** A complete table of these rows, which counts how often rows are put in an order, and may be begun anew. */
export function tableOf(rows: readonly KeyedRow[]): {
  table: LoginStatsTable
  looks: () => number
  restart: () => void
  complete: () => void
} {
  let looks = 0
  const state = { isComplete: true, restarts: 0 }
  const table: unknown = Object.assign(Object.create(LoginStatsTable.prototype), {
    ordered: async (dimension: string | null) => {
      looks += 1
      return rows.filter((row) => dimension === null || row.dimension === dimension)
    },
    get: async (key: string) => rows.find((row) => row.key === key) ?? null,
  })
  const counts = new Map<string, number>()
  for (const { dimension } of rows) counts.set(dimension, (counts.get(dimension) ?? 0) + 1)
  for (const [name, value] of Object.entries({
    ...{ size: rows.length, keyCounts: counts, currentAt: 0, failure: null },
  }))
    Object.defineProperty(table, name, { value, configurable: true })
  Object.defineProperty(table, 'isComplete', { get: () => state.isComplete })
  Object.defineProperty(table, 'restarts', { get: () => state.restarts })
  const made = table as LoginStatsTable
  return {
    table: made,
    looks: () => looks,
    restart: () => {
      state.isComplete = false
      state.restarts += 1
      made.emit('restart')
    },
    complete: () => {
      state.isComplete = true
      made.emit('ready')
    },
  }
}

/** Closed when the test ends. What the answers are that the test does not give, nobody asks for. */
export async function openAnsweringServer(
  table: LoginStatsTable,
  answers: Partial<Answers> = {},
  log: Log = createLogger({ level: 'silent' }),
): Promise<HttpClient> {
  const listener = await HttpListener.open({ host: '127.0.0.1', port: 0, mustHavePort: true, log })
  const following = { table, deadLetters: null, scans: new Scans(defaultLimits) } as unknown as Following
  const asked = { ask: async () => [], storeSizeInBytes: async () => 0 }
  const unasked = () => Promise.reject(new Error('not part of this test'))
  const end = await serve(listener, {
    ...{ version: '0', log },
    metrics: new ProcessMetrics({
      ...{ version: '0', nodeVersion: '24', inputTopic: 'input', dimensions: [], log },
      processor: {
        status: () => [],
        isAssigned: () => true,
        threadRestarts: () => 0,
        ...asked,
      } as unknown as Processor,
      lags: async () => new Map(),
    }),
    answers: {
      counted: { dimensions: ['locale', 'locale+device_type'], windows: ['1m', '5m'] },
      ...{ complete: async () => following, begin: async () => following, hold: () => () => undefined },
      ...{ summary: unasked, tasks: unasked, report: unasked, insights: unasked },
      readiness: () => ({ status: 'ok', reasons: [] }),
      ...answers,
    },
  })
  cleanUpLater(async () => {
    await end()
    await listener.close()
  })
  return HttpClient.at(`http://127.0.0.1:${listener.port}`)
}
