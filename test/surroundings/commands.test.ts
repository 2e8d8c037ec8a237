import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { tasksSchema } from '../../src/login-stats/http/api-schemas.ts'
import { systemClock } from '../../src/system/clock.ts'
import { readCommitted } from '../../src/verify/index.ts'
import { Application } from '../support/application.ts'
import { command, startCommand } from '../support/command.ts'
import { runHere } from '../support/here.ts'
import { killAllInstances } from '../support/instance.ts'
import { expectExact } from '../support/oracle.ts'
import { type Fate, FatePlan } from '../support/tcp-proxy/fate.ts'
import type { Frame } from '../support/tcp-proxy/frames.ts'
import { KafkaProxy } from '../support/tcp-proxy/kafka-proxy.ts'

const launcher = join(import.meta.dirname, '../../bin/login-stats')

let application: Application | null = null

afterEach(async () => {
  await killAllInstances()
  await application?.close()
  application = null
})

test('from an empty cluster to a verified table and back: topics, generate, run, verify, table, reset', async () => {
  application = new Application('commands')
  const { environment, config } = application

  const topics = await command(['topics', 'create', '--partitions', '3'], environment)
  expect(topics).toMatchObject({
    exitCode: 0,
    out: expect.stringContaining(`made    ${config.inputTopic} (3 partitions)`),
  })
  const again = await command(['topics', 'create', '--partitions', '5'], environment)
  expect(again).toMatchObject({ exitCode: 0, err: expect.stringContaining('3 partitions and stays so') })

  const generated = await command(
    ['generate', '--count', '3000', '--seed', '4', '--invalid', '2%', '--json'],
    environment,
  )
  expect(generated.exitCode, generated.err).toBe(0)
  const { records, invalid } = JSON.parse(generated.out)
  expect(records).toBe(3000)

  const early = await command(['verify'], environment)
  expect(early).toMatchObject({ exitCode: 4, out: expect.stringContaining('Nothing has been counted yet') })

  const instance = application.start()
  await expectExact(application, { valid: records - invalid, invalid })
  const refused = await command(['reset'], environment)
  expect(refused).toMatchObject({ exitCode: 1, err: expect.stringContaining('GROUP_ACTIVE') })
  expect(await instance.stop()).toBe(0)

  const verified = await command(['verify', '--json'], environment)
  expect(verified.exitCode, verified.err).toBe(0)
  expect(JSON.parse(verified.out)).toMatchObject({
    verdict: 'equal',
    logins: { valid: records - invalid, invalid },
  })

  const table = await command(['table', '--json', '--dimension', 'total'], environment)
  expect(table.exitCode).toBe(0)
  expect(JSON.parse(table.out)).toMatchObject({ key: 'total', count: records - invalid })

  const reset = await command(['reset', '--json'], environment)
  expect(reset.exitCode, reset.err).toBe(0)
  expect(JSON.parse(reset.out).tombstones).toBeGreaterThan(10)
  expect((await command(['table', '--json'], environment)).out).toBe('')

  // Counting starts over, and the dead letters of before are known for what they are.
  const next = application.start()
  await next.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')
  const deadline = systemClock.monotonic() + 30_000
  let report = { caughtUp: false, verdict: '' }
  while (!report.caughtUp && systemClock.monotonic() < deadline) {
    const result = await command(['verify', '--no-dlq', '--json'], environment)
    if (result.exitCode === 0) report = JSON.parse(result.out)
  }
  expect(report).toMatchObject({ caughtUp: true, verdict: 'equal' })
  const doubled = await command(['verify'], environment)
  expect(doubled).toMatchObject({ exitCode: 3, out: expect.stringContaining('--no-dlq') })
  expect(await next.stop()).toBe(0)
})

test('a table reaches a slow reader whole, and one that has seen enough ends it without leaving anything', async () => {
  application = new Application('output', { DIMENSIONS: 'user_id' })
  const { environment, config } = application
  await command(['topics', 'create'], environment)
  await command(['generate', '--count', '3000', '--late', '0'], environment)
  const instance = application.start()
  await expectExact(application, { valid: 3000, invalid: 0 })
  expect(await instance.stop()).toBe(0)
  const lines = (await command(['table', '--json'], environment)).out.split('\n').length
  expect(lines).toBeGreaterThan(2000)

  const inShell = (line: string) => {
    const child = spawn('bash', ['-c', `set -o pipefail; ${line}`], {
      env: { PATH: process.env.PATH, LAUNCHER: launcher, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  }
  // Longer than the process waits for what still holds it when its work is done.
  const [slow, , [slowCode]] = await inShell('"$LAUNCHER" table --json | (sleep 8; cat)')
  expect(slow.split('\n')).toHaveLength(lines)
  expect(slowCode).toBe(0)
  const [first, complaints, [headCode]] = await inShell('"$LAUNCHER" table --json --watch | head -1')
  expect(first.split('\n')).toHaveLength(2)
  expect({ complaints, headCode }).toEqual({ complaints: '', headCode: 0 })
  expect(
    readdirSync(join(config.stateDir, config.appId)).filter((name) => name.startsWith('table-')),
  ).toEqual([])
}, 120_000)

/** How often Kafka was asked for records. */
class FetchCounter extends FatePlan {
  fetches = 0

  override fateOf(frame: Frame): Fate {
    if (frame.direction === 'request' && frame.api === 'Fetch') this.fetches += 1
    return super.fateOf(frame)
  }
}

test('reset leaves no row behind, nor one of a transaction that is still open when it begins', async () => {
  application = new Application('reset-open')
  const { kafka, environment, config } = application
  const partition = { topic: config.outputTopic, partition: 0 }
  await kafka.admin.createTopics([
    {
      name: partition.topic,
      partitionCount: 1,
      replicationFactor: -1,
      config: { 'cleanup.policy': 'compact' },
    },
  ])
  const producer = kafka.producer({ transactionalId: `${config.appId}-test`, transactionTimeoutMs: 30_000 })
  await producer.init()
  const records = producer.appender()
  records.append(Buffer.from('locale:RU'), Buffer.from('{}'), 0)
  await producer.send([{ partition, records }])
  const random = new Xoshiro128(1)
  const plan = new FetchCounter(random)
  const proxy = await KafkaProxy.start(config.brokers.join(), plan, random)
  onTestFinished(() => proxy.close())
  let isOver = false
  const reset = runHere(['reset', '--json'], { ...environment, KAFKA_BROKERS: proxy.bootstrapServers })
  const ended = reset.finally(() => {
    isOver = true
  })
  // It has looked for the end of the table by then, and goes on looking for what stands before it.
  await expect.poll(() => plan.fetches >= 3 || isOver).toBe(true)
  const wasOver = isOver
  await producer.commit()
  producer.close()
  const { exitCode, out, err } = await ended
  expect(exitCode, err).toBe(0)
  expect([wasOver, JSON.parse(out).tombstones]).toEqual([false, 1])
  const rows = new Map<string, string | null>()
  await expect
    .poll(async () => {
      await readCommitted(
        { brokers: config.brokers },
        partition.topic,
        { clock: systemClock },
        ({ key, value }) => {
          rows.set(String(key), value === null ? null : String(value))
        },
      )
      return [...rows]
    })
    .toEqual([['locale:RU', null]])
})

test('what is interrupted before it is done says so by its exit code, and what has no end ends well', async () => {
  application = new Application('interrupted')
  const { kafka, config, environment } = application
  await command(['topics', 'create'], environment)
  const slowly = ['generate', '--rate', '100', '--json']
  const recordsInInput = async () => {
    const { inputTopic: topic } = config
    const partitionCount = (await kafka.admin.topics([topic])).get(topic)?.partitionCount ?? 0
    const partitions = Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition }))
    const ends = await kafka.admin.listOffsets(partitions, 'lastStable')
    return ends.reduce((sum, end) => sum + end, 0)
  }
  const interrupted = async (options: readonly string[]) => {
    const before = await recordsInInput()
    const started = startCommand([...slowly, ...options], environment)
    await expect.poll(recordsInInput).toBeGreaterThan(before)
    started.kill('SIGINT')
    return await started.ended
  }
  const endless = await interrupted([])
  expect(endless).toMatchObject({ exitCode: 0, err: '' })
  const counted = await interrupted(['--count', '1000000'])
  expect(counted).toMatchObject({ exitCode: 130, err: '' })
  for (const { out } of [endless, counted]) expect(JSON.parse(out).records).toBeGreaterThan(0)
})

test('wrong settings end a command with one message that lists all of them', async () => {
  const result = await command(['run'], {
    COMMIT_INTERVAL_MS: 'soon',
    DIMENSIONS: 'a+',
    LOGIN_STATS_RATE: '5',
  })
  expect(result.exitCode).toBe(2)
  for (const name of ['COMMIT_INTERVAL_MS', 'DIMENSIONS', 'LOGIN_STATS_RATE'])
    expect(result.err).toContain(name)
})

/** The processes below `pid`, at any depth. */
function descendants(pid: number): number[] {
  const rows = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = rows.map((row) => row.trim().split(/\s+/).map(Number))
  const below = (parent: number): number[] =>
    pairs.flatMap(([child = 0, of]) => (of === parent ? [child, ...below(child)] : []))
  return below(pid)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('the demo shows the table changing until Ctrl-C, and leaves no process behind', async () => {
  const demo = await startDemo()
  const counts = (): number[] =>
    [...demo.out().matchAll(/^total\b.*?([\d,]+)/gm)].map(([, count = '']) =>
      Number(count.replaceAll(',', '')),
    )
  const deadline = systemClock.monotonic() + 90_000
  while (new Set(counts()).size < 3 && systemClock.monotonic() < deadline) await systemClock.sleep(200)
  expect(new Set(counts()).size, demo.out()).toBeGreaterThanOrEqual(3)
  const started = descendants(demo.child.pid ?? 0)
  expect(started.length).toBeGreaterThan(0)
  await demo.interrupt()
  expect(started.filter(isAlive)).toEqual([])
}, 150_000)

test('what the demo says to type in another terminal works there, line for line', async () => {
  const demo = await startDemo()
  const url = /The live page: (\S+)/.exec(demo.err())?.[1] ?? ''
  const [cd = '', settings = '', run = '', ...others] = demo.err().match(/^ {2}\S.*$/gm) ?? []
  const inTerminal = (line: string) =>
    spawn('sh', ['-c', [cd, settings, line].join('\n')], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
  const instances = async (): Promise<number> => {
    const answer = await fetch(`${url}api/tasks`)
    return answer.ok ? tasksSchema.parse(await answer.json()).instances.length : 0
  }
  await expect.poll(instances, { timeout: 60_000, interval: 500 }).toBe(1)
  const second = inTerminal(run)
  const complaints = text(second.stderr)
  try {
    await expect.poll(instances, { timeout: 60_000, interval: 500 }).toBe(2)
    expect(others).toHaveLength(3)
    for (const line of others) {
      const child = inTerminal(line)
      const [out, err, [exitCode]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ])
      expect(exitCode, `${line}: ${err}`).toBe(0)
      expect(out, line).not.toBe('')
    }
  } finally {
    // Negative: the shell's children too.
    process.kill(-(second.pid ?? 0), 'SIGTERM')
    await once(second, 'close')
  }
  expect(await complaints).toBe('')
  await demo.interrupt()
}, 240_000)

/** Resolves when it has told what to do with it. */
async function startDemo() {
  const child = spawn(launcher, ['demo', '--rate', '500'], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, HTTP_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGINT'))
  let [out, err] = ['', '']
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  await expect.poll(() => err, { timeout: 90_000, interval: 200 }).toMatch(/ verify\n/)
  return {
    child,
    out: () => out,
    err: () => err,
    async interrupt() {
      child.kill('SIGINT')
      const [exitCode] = await once(child, 'close')
      expect(exitCode, err).toBe(0)
    },
  }
}
