/** Ourselves: `bin/login-stats run` from source, with every setting at its default that the job does not ask for. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Launched } from './launched.ts'
import type { Job, RestoreReport, System } from './system.ts'

const root = join(import.meta.dirname, '../..')

export const loginStats: System = {
  name: 'login-stats',
  title: 'login-stats',

  async prepare() {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    return `login-stats ${version}, Node ${process.versions.node}`
  },

  launch: (job) => launch(environmentOf(job)),

  readRow(key, value) {
    if (!key.includes(':')) return null
    return { key, count: Number(/"count":(\d+)/.exec(value)?.[1]) }
  },

  restoreOf(launched): RestoreReport | null {
    const restored = launched.lines.filter(({ msg }) => msg === 'Store restored')
    if (restored.length === 0) return null
    const ends = restored.map(({ time }) => Number(time))
    const starts = restored.map(({ time, durationMs }) => Number(time) - Number(durationMs))
    return {
      records: restored.reduce((sum, { restoredRecords }) => sum + Number(restoredRecords), 0),
      seconds: (Math.max(...ends) - Math.min(...starts)) / 1000,
    }
  },
}

/** With one transaction for each task, as Kafka's first exactly-once protocol had it. */
export const loginStatsByTask: System = {
  ...loginStats,
  name: 'login-stats-task',
  title: 'login-stats, a transaction per task',
  launch: (job) => launch({ ...environmentOf(job), TRANSACTION_SCOPE: 'task' }),
}

function launch(environment: Readonly<Record<string, string>>): Promise<Launched> {
  return Launched.start('login-stats', join(root, 'bin/login-stats'), ['run'], environment)
}

function environmentOf(job: Job): Record<string, string> {
  return {
    KAFKA_BROKERS: job.bootstrapServers,
    APP_ID: job.appId,
    INPUT_TOPIC: job.inputTopic,
    OUTPUT_TOPIC: job.outputTopic,
    DLQ_TOPIC: `${job.appId}-dlq`,
    ENRICHED_TOPIC: job.enrichedTopic ?? '',
    DIMENSIONS: job.dimensions.join(','),
    STATE_DIR: job.directory,
    HTTP_PORT: '0',
    ...(job.rollingWindows === null ? {} : { ROLLING_WINDOWS: job.rollingWindows }),
    ...(job.threads === null ? {} : { STREAM_THREADS: String(job.threads) }),
    ...profiling(),
  }
}

/** BENCH_PROFILE names a directory for CPU profiles, one for each thread of each run. */
function profiling(): Record<string, string> {
  const directory = process.env.BENCH_PROFILE
  return directory === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${resolve(directory)}` }
}
