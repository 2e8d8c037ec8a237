/**
 * How long one processor needs for a backlog of logins: from its start until a `read_committed` reader that shares no code with it
 * sees all of them in the table's row `total`. Also its peak memory, its commits, and a kill -9 with a restart.
 *
 *   node bench/backlog.ts [logins] [partitions]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connectKafka } from '../src/kafka/index.ts'
import { startLocalKafka } from '../src/local-kafka/index.ts'
import { loginGenerator } from '../src/login-stats/generator/login-generator.ts'
import { systemClock } from '../src/system/clock.ts'
import { createLogger } from '../src/system/logger.ts'
import { systemRandom } from '../src/system/random.ts'
import { openReader, readRange } from '../src/verify/index.ts'

const count = Number(process.argv[2] ?? 1_000_000)
const partitions = Number(process.argv[3] ?? 4)
const input = 'bench-user-login'

const kafka = await startLocalKafka({ onProgress: console.log })
const brokers = kafka.bootstrapServers.split(',')
const stateDir = mkdtempSync(join(tmpdir(), 'login-stats-bench-'))
const client = connectKafka({
  bootstrapServers: brokers,
  clientId: 'bench',
  clock: systemClock,
  random: systemRandom,
  log: createLogger({ level: 'silent' }),
  compression: 'none',
})

async function produce(first: number, howMany: number): Promise<void> {
  const producer = client.producer({ transactionalId: `bench-${first}`, transactionTimeoutMs: 60_000 })
  await producer.init()
  const logins = loginGenerator({ seed: first, clock: () => systemClock.now() })
  for (let done = 0; done < howMany; ) {
    const appenders = Array.from({ length: partitions }, () => producer.appender())
    for (let i = 0; i < 20_000 && done < howMany; i++, done++) {
      const { value, timestampMs } = logins.next().value
      appenders[Math.floor(i / 100) % partitions]?.append(null, value, timestampMs)
    }
    await producer.send(
      appenders.map((records, partition) => ({ partition: { topic: input, partition }, records })),
    )
    await producer.commit()
  }
  producer.close()
}

interface Run {
  readonly child: ChildProcess
  readonly startedAt: number
  readonly commits: number[]
  firstCommitAt: number | null
}

function start(): Run {
  const entry = join(import.meta.dirname, '../src/login-stats/main.ts')
  const env = {
    PATH: process.env.PATH,
    KAFKA_BROKERS: kafka.bootstrapServers,
    INPUT_TOPIC: input,
    STATE_DIR: stateDir,
    LOG_LEVEL: 'debug',
  }
  const profile =
    process.env.BENCH_PROFILE === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${process.env.BENCH_PROFILE}`]
  const child = spawn(process.execPath, [...profile, entry, 'run'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const run: Run = { child, startedAt: systemClock.monotonic(), commits: [], firstCommitAt: null }
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, durationMs, level } = JSON.parse(line) as {
        msg: string
        durationMs: number
        level: string | number
      }
      if (msg === 'Committed') {
        run.firstCommitAt ??= systemClock.monotonic()
        run.commits.push(durationMs)
      } else if (level !== 20 && level !== 'debug') console.log(line)
    })
  }
  return run
}

/** Waits until the row `total` says `expected`. */
async function seen(expected: number): Promise<void> {
  const reader = await openReader({ brokers }, systemClock)
  const next: number[] = []
  for (;;) {
    const ends = await reader.offsets('login-stats', 'lastStable').catch(() => [])
    for (const [partition, to] of ends.entries()) {
      let total: number | null = null
      await readRange(
        reader,
        { topic: 'login-stats', partition, from: next[partition] ?? 0, to },
        (record) => {
          if (record.key?.toString() === 'total') total = JSON.parse(String(record.value)).count
        },
      )
      next[partition] = to
      if (total === expected) {
        await reader.close()
        return
      }
    }
    await systemClock.sleep(20)
  }
}

function peakRss({ child }: Run): string {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  return `${Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024)} MB`
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}

await client.admin.createTopics([
  { name: input, partitionCount: partitions, replicationFactor: -1, config: {} },
])
await produce(1, count)
console.log(`${count} logins in ${partitions} partitions`)

const first = start()
await seen(count)
const seconds = (systemClock.monotonic() - first.startedAt) / 1000
console.log({
  secondsFromStart: seconds.toFixed(2),
  loginsPerSecond: Math.round(count / seconds),
  secondsFromFirstCommit: ((systemClock.monotonic() - (first.firstCommitAt ?? 0)) / 1000).toFixed(2),
  startToFirstCommit: (((first.firstCommitAt ?? 0) - first.startedAt) / 1000).toFixed(2),
  peakRss: peakRss(first),
  commits: first.commits.length,
  commitP50: quantile(first.commits, 0.5),
  commitP99: quantile(first.commits, 0.99),
})
if (process.env.BENCH_PROFILE === undefined) {
  first.child.kill('SIGKILL')
  await once(first.child, 'close')
  await produce(2, 20_000)
  const second = start()
  await seen(count + 20_000)
  console.log({ restartToNextCommit: (((second.firstCommitAt ?? 0) - second.startedAt) / 1000).toFixed(2) })
  second.child.kill('SIGTERM')
  await once(second.child, 'close')
} else {
  first.child.kill('SIGTERM')
  await once(first.child, 'close')
}
await client.close()
await kafka.close()
rmSync(stateDir, { recursive: true, force: true })
