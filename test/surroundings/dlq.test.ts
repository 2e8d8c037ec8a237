/** `dlq list`, `show` and `replay`, with a processor that counts what is replayed. */
import { afterEach, describe, expect, test } from 'vitest'
import { deadLetter } from '../../src/login-stats/domain/dead-letter.ts'
import { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import type { Header, TopicPartition } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'
import { systemRandom } from '../../src/system/random.ts'
import { type KafkaRecord, readCommitted } from '../../src/verify/index.ts'
import { Application } from '../support/application.ts'
import { type CommandResult, startCommand } from '../support/command.ts'
import { runHere } from '../support/here.ts'
import { killAllInstances } from '../support/instance.ts'
import { expectExact } from '../support/oracle.ts'
import { FatePlan } from '../support/tcp-proxy/fate.ts'
import { KafkaProxy } from '../support/tcp-proxy/kafka-proxy.ts'

let application: Application

afterEach(async () => {
  await killAllInstances()
  await application.close()
})

interface InputRecord {
  readonly key: Buffer | null
  readonly value: Buffer
  readonly headers: readonly Header[]
  readonly timestamp: number
}

const hour = 3_600_000

/** Logins from ahead of their records' time, which are valid once they are written again. */
function early(count: number, from = 0): InputRecord[] {
  const now = systemClock.now()
  return Array.from({ length: count }, (_, index) => {
    const number = from + index
    const timestamp = Math.floor((now - hour / 2) / 1000)
    const login = { user_id: `user-${number}`, locale: 'RU', device_type: 'ios', app_version: '1', timestamp }
    return {
      key: number % 3 === 0 ? Buffer.from(`key-${number}`) : null,
      value: Buffer.from(JSON.stringify(login)),
      headers: [
        ['number', Buffer.from(`${number}`)],
        ['error', null],
      ],
      timestamp: now - hour,
    }
  })
}

/** What is no login now and will never be. */
function broken(count: number): InputRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    key: null,
    value: Buffer.from(`{"user_id":"broken-${index}"`),
    headers: [['number', Buffer.from(`broken-${index}`)]],
    timestamp: systemClock.now() - hour,
  }))
}

interface Copy {
  readonly partition: number
  readonly record: KafkaRecord
}

/** The committed records of the input by the number in their headers. */
async function inputByNumber(): Promise<Map<string, Copy[]>> {
  const found = new Map<string, Copy[]>()
  const { brokers, inputTopic } = application.config
  await readCommitted({ brokers }, inputTopic, { clock: systemClock }, (record, partition) => {
    const number = record.headers.find(([name]) => name === 'number')?.[1]?.toString() ?? '?'
    found.set(number, [...(found.get(number) ?? []), { partition, record }])
  })
  return found
}

/** Each of these is in the input twice: as it came, and as it was replayed. */
async function expectReplayedOnce(records: readonly InputRecord[]): Promise<void> {
  const found = await inputByNumber()
  const wrong = records.filter(({ headers }) => found.get(String(headers[0]?.[1]))?.length !== 2)
  expect(wrong.map(({ headers }) => String(headers[0]?.[1]))).toEqual([])
  for (const { key, value, headers, timestamp } of records) {
    const [original, copy] = found.get(String(headers[0]?.[1])) ?? []
    expect(original?.record).toMatchObject({ key, value, headers, timestamp })
    expect(copy?.record).toMatchObject({ key, value, headers })
    expect(copy?.record.timestamp).toBeGreaterThan(timestamp + hour / 2)
    expect(copy?.partition).toBe(original?.partition)
  }
}

function dlq(...args: string[]): Promise<CommandResult> {
  return runHere(['dlq', ...args], application.environment)
}

async function dlqJson(...args: string[]) {
  const { exitCode, out, err } = await dlq(...args, '--json')
  expect(exitCode, err).toBe(0)
  return JSON.parse(out)
}

/** An application that has counted `good` logins and has these dead letters. */
async function withLetters(name: string, records: readonly InputRecord[], good = 100) {
  application = new Application(name)
  await application.createInput(3)
  await application.produceLogins(good, { invalidShare: 0 })
  await application.produce(records)
  const instance = application.start()
  await expectExact(application, { valid: good, invalid: records.length })
  return instance
}

test('list and show tell all about dead letters but what is in them, until they are asked to', async () => {
  const records = [...early(5), ...broken(2)]
  await withLetters('dlq-list', records)
  const rows = await dlqJson('list')
  expect(rows).toHaveLength(7)
  const { time, ...row } = rows.find(({ code }: { code: string }) => code === 'NOT_JSON')
  expect(row).toEqual({
    ...{ partition: expect.any(Number), offset: expect.any(Number), code: 'NOT_JSON', status: 'waiting' },
    message: 'The value is not JSON in UTF-8.',
    source: { topic: application.config.inputTopic, partition: row.partition, offset: expect.any(Number) },
    size: records.at(-1)?.value.length,
  })
  expect(Date.parse(time)).toBeGreaterThan(systemClock.now() - hour)

  expect(await dlqJson('list', '--limit', '2')).toEqual(rows.slice(0, 2))
  const oldest = await dlqJson('list', '--oldest')
  expect(oldest.map((one: { time: string }) => one.time)).toEqual(
    rows.map((one: { time: string }) => one.time).toSorted(),
  )
  expect(await dlqJson('list', '--code', 'NOT_JSON')).toHaveLength(2)
  expect(await dlqJson('list', '--since', '1h')).toHaveLength(7)
  expect(await dlqJson('list', '--since', '2999-01-01')).toEqual([])
  expect(await dlqJson('list', '--summary')).toMatchObject([
    { code: 'TIMESTAMP_OUT_OF_RANGE', count: 5, waiting: 5 },
    { code: 'NOT_JSON', count: 2, waiting: 2 },
  ])

  const table = await dlq('list')
  expect(table.out.trim().split('\n')).toHaveLength(8)
  const place = `${row.partition}:${row.offset}`
  const shown = await dlq('show', place)
  expect(shown.out).toContain('error     NOT_JSON')
  expect(shown.out).toContain('--value')
  for (const { out } of [table, shown, await dlq('show', place, '--json'), await dlq('list', '--summary')])
    expect(out).not.toMatch(/user-\d|broken-/)

  const value = /"user_id":"broken-\d"/
  expect((await dlq('show', String(row.partition), String(row.offset), '--value')).out).toMatch(value)
  expect((await dlqJson('show', place, '--value')).value).toMatch(value)
  const raw = await dlq('show', place, '--raw')
  expect(records.map((one) => one.value.toString())).toContain(raw.out)

  const none = await dlq('show', '0:999999')
  expect(none).toMatchObject({ exitCode: 1, err: expect.stringContaining('OFFSET_OUT_OF_RANGE') })
  expect((await dlq('show', '77:0')).err).toContain('The topic has 3 partitions')
})

test('list, show and replay end soon after a signal, also where a read waits for Kafka', async () => {
  await withLetters('dlq-signal', broken(3))
  const random = new Xoshiro128(1)
  const plan = new FatePlan(random)
  const proxy = await KafkaProxy.start(application.environment.KAFKA_BROKERS ?? '', plan, random)
  try {
    const environment = { ...application.environment, KAFKA_BROKERS: proxy.bootstrapServers }
    const [{ partition, offset }] = await dlqJson('list')
    for (const args of [['list'], ['show', `${partition}:${offset}`], ['replay', '--json']]) {
      plan.calm()
      plan.struck.clear()
      for (let count = 0; count < 100; count++) plan.strike('Fetch', 'request', { kind: 'lose' })
      const started = startCommand(['dlq', ...args], environment)
      await expect.poll(() => plan.struckCount).toBeGreaterThan(0)
      const askedAt = systemClock.monotonic()
      started.kill('SIGTERM')
      const ended = await started.ended
      expect(ended.exitCode, ended.err).toBe(143)
      expect(systemClock.monotonic() - askedAt).toBeLessThan(20_000)
      if (args[0] === 'replay') expect(JSON.parse(ended.out)).toMatchObject({ replayed: 0, complete: false })
    }
  } finally {
    await proxy.close()
  }
})

describe('replay', () => {
  test('killed again and again writes each record back exactly once, and each is counted once', async () => {
    const records = early(3000)
    await withLetters('dlq-killed', records)
    const seed = Number(process.env.FAULT_SEED ?? Math.floor(systemRandom.next() * 2 ** 31))
    const random = new Xoshiro128(seed)
    let result: CommandResult
    let kills = 0
    do {
      const started = startCommand(['dlq', 'replay', '--rate', '1200', '--json'], application.environment)
      // Node needs some 400 ms to begin, more on a busy machine; a whole replay takes 2.5 s more. Each gets more time than the one before.
      const timer = setTimeout(
        () => started.kill('SIGKILL'),
        300 + random.below(Math.floor(1000 * 1.05 ** kills)),
      )
      result = await started.ended
      clearTimeout(timer)
      if (result.exitCode === null) kills++
      else expect(result.exitCode, `seed ${seed}: ${result.err}`).toBe(0)
    } while (result.exitCode === null && kills < 60)
    expect(JSON.parse(result.out), `seed ${seed}`).toMatchObject({ complete: true })
    expect(kills, `seed ${seed}`).toBeGreaterThan(2)
    await expectReplayedOnce(records)
    const report = await expectExact(application, { valid: 3100, invalid: 3000 })
    expect(report.deadLetters).toMatchObject({ found: 3000, expected: 3000 })
    expect(await dlqJson('list', '--summary')).toMatchObject([{ count: 3000, waiting: 0 }])
    expect(await dlqJson('replay')).toMatchObject({ replayed: 0, complete: true })
  })

  test('twice at once ends with each record written back once', async () => {
    const records = early(1500)
    await withLetters('dlq-twice', records)
    // The first one would take ten seconds: the second has begun by then, however long Node takes to.
    const start = () => startCommand(['dlq', 'replay', '--rate', '150', '--json'], application.environment)
    const first = start()
    const writtenBack = async () =>
      [...(await inputByNumber()).values()].filter(({ length }) => length > 1).length
    await expect.poll(writtenBack).toBeGreaterThan(0)
    const results = await Promise.all([first.ended, start().ended])
    const fenced = results.filter(({ exitCode }) => exitCode === 1)
    expect(fenced).toHaveLength(1)
    expect(fenced[0]?.err).toContain('PRODUCER_FENCED')
    expect(fenced[0]?.err).toContain('Another replay has begun')
    expect(results.filter(({ exitCode }) => exitCode === 0)).toHaveLength(1)
    await expectReplayedOnce(records)
    await expectExact(application, { valid: 1600, invalid: 1500 })
  })

  test('of one code, plain, limited and dry: none is written back twice, and what fails again waits', async () => {
    const [good, bad] = [early(40), broken(10)]
    await withLetters('dlq-codes', [...good, ...bad])
    expect(await dlqJson('replay', '--dry-run')).toMatchObject({
      dry_run: true,
      replayed: 50,
      complete: true,
    })
    expect(await dlqJson('list', '--summary')).toMatchObject([{ waiting: 40 }, { waiting: 10 }])

    const code = ['--code', 'TIMESTAMP_OUT_OF_RANGE']
    expect(await dlqJson('replay', ...code, '--limit', '15')).toMatchObject({ replayed: 15, complete: false })
    expect(await dlqJson('replay', ...code)).toMatchObject({ replayed: 25, other_code: 10, complete: true })
    expect(await dlqJson('list', '--summary')).toMatchObject([{ waiting: 0 }, { waiting: 10 }])
    await expectReplayedOnce(good)

    expect(await dlqJson('replay')).toMatchObject({ replayed: 10, already_replayed: 40, complete: true })
    await expectReplayedOnce([...good, ...bad])
    await expectExact(application, { valid: 140, invalid: 60 })
    // Those that can never be read are dead anew, under places of their own.
    expect(await dlqJson('replay', ...code)).toMatchObject({ replayed: 0, other_code: 10 })
    expect(await dlqJson('replay', '--dry-run')).toMatchObject({ replayed: 10, already_replayed: 0 })
  })

  test('after a reset leaves out what was written back before it', async () => {
    const records = early(20)
    const instance = await withLetters('dlq-reset', records)
    expect(await dlqJson('replay', '--limit', '12')).toMatchObject({ replayed: 12 })
    await expectExact(application, { valid: 112, invalid: 20 })
    expect(await instance.stop()).toBe(0)
    expect((await runHere(['reset'], application.environment)).exitCode).toBe(0)
    application.start()
    // Everything is read again: each dead record has two letters now.
    await waitForSummary([{ count: 40, waiting: 16 }])
    // Nobody but the user can know that these are repetitions, so they wait; that may be for as long as it likes.
    expect(await dlqJson('replay')).toMatchObject({ replayed: 8, repeated: 20, complete: false })
    expect(await dlqJson('replay')).toMatchObject({ replayed: 0, repeated: 20, complete: false })
    expect((await dlq('replay', '--dry-run')).out).toContain('say with --repeated what becomes of them')
    await waitForSummary([{ count: 40, waiting: 0 }])
    expect(await dlqJson('replay', '--repeated', 'skip')).toMatchObject({ repeated: 20, complete: true })
    expect(await dlqJson('replay')).toMatchObject({ replayed: 0, repeated: 0, complete: true })
    await expectReplayedOnce(records)
  })

  test('of a topic that was made again, and of one that retention has shortened, goes on with what is there', async () => {
    const instance = await withLetters('dlq-recreated', early(30))
    expect(await dlqJson('replay')).toMatchObject({ replayed: 30 })
    await expectExact(application, { valid: 130, invalid: 30 })
    expect(await instance.stop()).toBe(0)
    const topic = application.config.dlqTopic ?? ''
    await application.kafka.admin.deleteTopics([topic])
    const next = early(9, 100)
    await application.produce(next)
    application.start()
    await waitForSummary([{ count: 9, waiting: 9 }])
    const place = { topic, partition: 0 }
    const [end = 0] = await application.kafka.admin.listOffsets([place], 'lastStable')
    expect(await dlqJson('replay', '--limit', '3')).toMatchObject({ replayed: 3, deleted: 0 })
    await application.kafka.admin.deleteRecords([{ partition: place, offset: end }])
    const rest = await dlqJson('replay')
    expect(rest).toMatchObject({ replayed: 0, complete: true })
    expect(rest.deleted).toBeGreaterThanOrEqual(6)
    const found = await inputByNumber()
    const copies = next.map(({ headers }) => (found.get(String(headers[0]?.[1]))?.length ?? 0) - 1)
    expect(copies).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0])
  })

  test('of letters of long ago remembers what it has done, and leaves out what cannot be replayed', async () => {
    application = new Application('dlq-old')
    await application.createInput(1)
    const { inputTopic: topic, dlqTopic } = application.config
    const letter = deadLetter(
      { key: null, value: Buffer.from('x'), headers: [], topic, partition: 0, offset: 0, timestamp: 5 },
      { code: 'NOT_JSON', message: 'no' },
      1_000_000,
    )
    const cut = deadLetter(
      { key: null, value: Buffer.alloc(9000), headers: [], topic, partition: 0, offset: 1, timestamp: 6 },
      { code: 'NOT_JSON', message: 'no' },
      2000,
    )
    const partition = { topic: dlqTopic ?? '', partition: 0 }
    await application.kafka.admin.createTopics([
      { name: partition.topic, partitionCount: 1, replicationFactor: -1, config: { 'retention.ms': '-1' } },
    ])
    const foreign = { key: null, value: Buffer.from('of somebody else'), headers: [] }
    await write(partition, [letter, cut, foreign], systemClock.now() - 8 * 24 * hour)

    expect(await dlqJson('replay', '--dry-run')).toMatchObject({ replayed: 1, truncated: 1, foreign: 1 })
    expect(await dlqJson('replay')).toMatchObject({ replayed: 1, truncated: 1, foreign: 1, complete: true })
    expect(await dlqJson('replay')).toMatchObject({ replayed: 0 })
    expect(await dlqJson('list', '--oldest')).toMatchObject([
      { status: 'replayed' },
      { status: 'truncated', size: 9000 },
      { status: 'foreign', code: null },
    ])
  })

  test('refuses progress that might be lost, and such as it cannot read', async () => {
    application = new Application('dlq-progress')
    await application.createInput(1)
    const { admin } = application.kafka
    const dead = application.config.dlqTopic ?? ''
    const name = `${application.config.appId}-dlq-replay`
    const make = async (topic: string, config: Record<string, string>, partitionCount = 1) => {
      await admin.createTopics([{ name: topic, partitionCount, replicationFactor: -1, config }])
    }
    await make(dead, {})
    await make(name, {})
    expect((await dlq('replay')).err).toMatch(/TOPIC_MISMATCH.*cleanup.policy=delete/s)
    await admin.deleteTopics([name])
    await make(name, { 'cleanup.policy': 'compact' }, 2)
    expect((await dlq('replay')).err).toMatch(/TOPIC_MISMATCH.*partitions=2;/s)
    await admin.deleteTopics([name])
    expect(await dlqJson('replay')).toMatchObject({ replayed: 0, complete: true })
    await write({ topic: name, partition: 0 }, [{ key: Buffer.from('k'), value: null, headers: [] }])
    expect((await dlq('replay')).err).toMatch(/CORRUPT_BATCH.*something else has written to it/s)
  })

  test('says what is missing', async () => {
    application = new Application('dlq-missing')
    expect(await dlq('replay')).toMatchObject({ exitCode: 1, err: expect.stringContaining('TOPIC_MISSING') })
    const off = await runHere(['dlq', 'list'], { ...application.environment, DLQ_TOPIC: '' })
    expect(off).toMatchObject({ exitCode: 2, err: expect.stringContaining('DLQ_TOPIC is empty') })
  })
})

type Written = Pick<InputRecord, 'key' | 'headers'> & { readonly value: Buffer | null }

/** What readers of committed records see when it resolves. */
async function write(partition: TopicPartition, written: readonly Written[], timestamp = 0): Promise<void> {
  const { admin } = application.kafka
  const transactionalId = `${partition.topic}-test`
  const producer = application.kafka.producer({ transactionalId, transactionTimeoutMs: 9000 })
  await producer.init()
  const records = producer.appender()
  for (const { key, value, headers } of written) records.append(key, value, timestamp, headers)
  const [end = 0] = await producer.send([{ partition, records }])
  await producer.commit()
  producer.close()
  // The broker answers before the marker is written.
  await expect.poll(() => admin.listOffsets([partition], 'lastStable')).toEqual([end + 1])
}

async function waitForSummary(expected: readonly object[]): Promise<void> {
  await expect
    .poll(() => dlqJson('list', '--summary'), { timeout: 30_000, interval: 300 })
    .toMatchObject(expected)
}
