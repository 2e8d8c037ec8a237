import { afterEach, expect, test } from 'vitest'
import { ProcessMetrics } from '../../../../src/login-stats/metrics/process-metrics.ts'
import { ThreadMetrics } from '../../../../src/login-stats/metrics/thread-metrics.ts'
import type { Processor } from '../../../../src/login-stats/processor.ts'
import type { ThreadQuestion } from '../../../../src/login-stats/thread-questions.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { createLogger } from '../../../../src/system/logger.ts'
import { cleanUpAll, cleanUpLater } from '../../../support/clean-ups.ts'

afterEach(cleanUpAll)

/** The labels of the series of event loops, of a process with so many stream threads. */
async function eventLoops(threadCount: number, hasWorkers: boolean): Promise<string[]> {
  const threads = Array.from({ length: threadCount }, (_, at) => new ThreadMetrics(at, systemClock, []))
  cleanUpLater(() => {
    for (const thread of threads) thread.close()
  })
  const processor = {
    ...{ hasWorkers, status: () => [], isAssigned: () => true, threadRestarts: () => 0 },
    storeSizeInBytes: async () => 0,
    ask: async ({ about }: ThreadQuestion) =>
      about === 'metrics' ? await Promise.all(threads.map((thread) => thread.collect())) : [],
  } as unknown as Processor
  const metrics = new ProcessMetrics({
    ...{ version: '0', nodeVersion: '24', inputTopic: 'input', dimensions: [], processor },
    ...{ log: createLogger({ level: 'silent' }), lags: async () => new Map() },
  })
  const text = await metrics.text()
  return [...text.matchAll(/^login_stats_event_loop_lag_seconds\{(.*)\} \S+$/gm)].map(
    ([, labels = '']) => `${/thread="(\w+)"/.exec(labels)?.[1]} ${/quantile="([\w.]+)"/.exec(labels)?.[1]}`,
  )
}

const each = (threads: readonly string[]) =>
  threads.flatMap((thread) => ['0.5', '0.99', 'max'].map((quantile) => `${thread} ${quantile}`))

test('each event loop is told once: those of the stream threads, and that of the process where it is another', async () => {
  expect((await eventLoops(2, true)).toSorted()).toEqual(each(['0', '1', 'main']))
  expect((await eventLoops(1, true)).toSorted()).toEqual(each(['0', 'main']))
  expect((await eventLoops(1, false)).toSorted()).toEqual(each(['0']))
})
