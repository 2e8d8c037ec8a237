import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { TransactionalProducer } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'
import { systemRandom } from '../../src/system/random.ts'
import {
  type Difference,
  type KafkaRecord,
  partitionOf,
  readCommitted,
  type VerifyReport,
} from '../../src/verify/index.ts'
import { Application } from '../support/application.ts'
import { type CommandResult, command } from '../support/command.ts'
import { killAllInstances } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'
import { UnderLoad } from '../support/under-load.ts'
import { counterBytes } from '../unit/verify/changelog-records.ts'

const partitionCount = 2
const exitCodes = { equal: 0, different: 3, impossible: 4 }

let application: Application | null = null

afterEach(async () => {
  await UnderLoad.close()
  await killAllInstances()
  await application?.close()
  application = null
})

/** An application that has counted some logins and was stopped. */
async function counted(name: string, logins: number): Promise<Application> {
  application = new Application(name)
  await application.createInput(partitionCount)
  const made = await application.produceLogins(logins)
  const instance = application.start()
  await expectExact(application, countOf(made))
  expect(await instance.stop()).toBe(0)
  return application
}

function changelogOf({ config }: Application): string {
  return `${config.appId}-counts-changelog`
}

interface Planted {
  readonly topic: string
  readonly partition: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers?: KafkaRecord['headers']
}

function foreignProducer({ kafka }: Application): TransactionalProducer {
  const transactionalId = `foreign-${systemRandom.id()}`
  return kafka.producer({ transactionalId, transactionTimeoutMs: 60_000 })
}

async function send(producer: TransactionalProducer, planted: readonly Planted[]): Promise<void> {
  await producer.send(
    planted.map(({ topic, partition, key, value, headers = [] }) => {
      const records = producer.appender()
      records.append(key, value, systemClock.now(), headers)
      return { partition: { topic, partition }, records }
    }),
  )
}

/** Writes records that no processor has written, in a committed transaction. */
async function plant(to: Application, planted: readonly Planted[]): Promise<void> {
  const producer = foreignProducer(to)
  await producer.init()
  await send(producer, planted)
  await producer.commit()
  producer.close()
  // A commit is promised before its markers are written, and until then nobody reads what it has planted.
  expect(await to.openTransactions()).toEqual([])
}

/** The last record of each key, with its place. */
async function lastRecords(
  of: Application,
  topic: string,
): Promise<Map<string, KafkaRecord & { partition: number }>> {
  const last = new Map<string, KafkaRecord & { partition: number }>()
  const { brokers } = of.config
  await readCommitted({ brokers }, topic, { clock: systemClock }, (record, partition) => {
    last.set(record.key?.toString('latin1') ?? '', { ...record, partition })
  })
  return last
}

async function report(
  of: Application,
  ...options: string[]
): Promise<CommandResult & { report: VerifyReport }> {
  const result = await command(['verify', '--json', ...options], of.environment)
  expect(result.out, result.err).not.toBe('')
  const parsed: VerifyReport = JSON.parse(result.out)
  expect(result.exitCode).toBe(exitCodes[parsed.verdict])
  // Nobody sits at a terminal: there is no bar.
  expect(result.err).toBe('')
  return { ...result, report: parsed }
}

function find(
  differences: readonly Difference[],
  where: string,
  what: string,
  key: string,
): Difference | undefined {
  return differences.find((one) => one.where === where && one.what === what && one.key === key)
}

test('each planted difference is told with its key, its records and its part of the input, in one pass or several', async () => {
  const app = await counted('planted', 3000)
  const { outputTopic, dlqTopic } = app.config
  const changelog = changelogOf(app)
  const table = await lastRecords(app, outputTopic)
  const entries = await lastRecords(app, changelog)
  const metas = new Map<number, number>()
  const letters: (KafkaRecord & { partition: number })[] = []
  const { brokers } = app.config
  await readCommitted({ brokers }, changelog, { clock: systemClock }, ({ key, offset }, partition) => {
    if (key?.[0] === 0) metas.set(partition, offset)
  })
  await readCommitted({ brokers }, dlqTopic!, { clock: systemClock }, (record, partition) => {
    letters.push({ ...record, partition })
  })
  const locales = [...table.keys()].filter((key) => key.startsWith('locale:')).sort()
  const [wrongRow, wrongCounter, deletedRow, deletedCounter] = locales as [string, string, string, string]
  const counterOf = (key: string) => entries.get(`\u0001${key}`)!
  const countOfKey = (key: string): number => JSON.parse(String(table.get(key)!.value)).count
  const row = { ...JSON.parse(String(table.get(wrongRow)!.value)), count: countOfKey(wrongRow) + 7 }
  const letter = letters[0]!
  await plant(app, [
    {
      topic: outputTopic,
      partition: table.get(wrongRow)!.partition,
      key: Buffer.from(wrongRow),
      value: Buffer.from(JSON.stringify(row)),
    },
    {
      topic: outputTopic,
      partition: table.get(deletedRow)!.partition,
      key: Buffer.from(deletedRow),
      value: null,
    },
    {
      ...{
        topic: changelog,
        partition: counterOf(wrongCounter).partition,
        key: Buffer.from(`\u0001${wrongCounter}`),
      },
      value: counterBytes({ count: 1_000_000, firstSeen: 1, lastSeen: 2, panes: [[], [], [], []] }),
    },
    {
      ...{ topic: changelog, partition: counterOf(deletedCounter).partition },
      ...{ key: Buffer.from(`\u0001${deletedCounter}`), value: null },
    },
    {
      topic: dlqTopic!,
      partition: letter.partition,
      key: letter.key,
      value: letter.value,
      headers: letter.headers,
    },
  ])
  const tableNow = await lastRecords(app, outputTopic)
  const entriesNow = await lastRecords(app, changelog)

  const { report: found } = await report(app)
  expect(found).toMatchObject({
    verdict: 'different',
    equal: false,
    passes: 1,
    recreated: [],
    caughtUp: true,
  })
  const differences = found.differences
  const placeOf = (record: { partition: number; offset: number }) => ({
    ...{ partition: record.partition, offset: record.offset },
  })

  expect(find(differences, 'table', 'count', wrongRow)).toEqual({
    ...{
      where: 'table',
      what: 'count',
      key: wrongRow,
      partition: partitionOf(Buffer.from(wrongRow), partitionCount),
    },
    ...{ expected: countOfKey(wrongRow), found: countOfKey(wrongRow) + 7 },
    ...{ records: [placeOf(tableNow.get(wrongRow)!)], range: null },
  })
  expect(find(differences, 'table', 'count', deletedRow)).toMatchObject({
    ...{ expected: countOfKey(deletedRow), found: 0, records: [placeOf(tableNow.get(deletedRow)!)] },
  })
  const counterNow = entriesNow.get(`\u0001${wrongCounter}`)!
  expect(find(differences, 'changelog', 'count', wrongCounter)).toMatchObject({
    ...{ expected: countOfKey(wrongCounter), found: 1_000_000, records: [placeOf(counterNow)] },
    range: {
      ...{ rightUntil: metas.get(counterNow.partition), isCommit: false, isExact: true },
      ...{ input: [], expected: 0, counted: 1_000_000 - countOfKey(wrongCounter) },
    },
  })
  expect(find(differences, 'changelog', 'count', deletedCounter)).toMatchObject({
    ...{ expected: countOfKey(deletedCounter), found: 0 },
    range: { isCommit: false, input: [], expected: 0, counted: -countOfKey(deletedCounter) },
  })
  const source = Object.fromEntries(letter.headers.map(([name, value]) => [name, String(value)]))
  const place = `${source['source.partition']}:${source['source.offset']}`
  const duplicate = find(differences, 'dead letters', 'times', place)
  expect(duplicate).toMatchObject({ expected: 1, found: 2, partition: letter.partition })
  expect(duplicate?.records[0]).toEqual(placeOf(letter))
  expect(duplicate?.records).toHaveLength(2)
  // Nothing else differs.
  const keys = new Set([wrongRow, wrongCounter, deletedRow, deletedCounter, place])
  expect(differences.filter(({ key }) => !keys.has(key))).toEqual([])
  const kinds = Object.values(found.differencesByKind).reduce((sum, count) => sum + count, 0)
  expect([found.differenceCount, kinds]).toEqual([differences.length, differences.length])

  const inPasses = (await report(app, '--passes', '3')).report
  expect(inPasses).toMatchObject({ passes: 3, keys: found.keys, logins: found.logins })
  const sorted = (list: readonly Difference[]) => list.map((one) => JSON.stringify(one)).sort()
  expect(sorted(inPasses.differences)).toEqual(sorted(differences))

  const { exitCode, out } = await command(['verify'], app.environment)
  expect(exitCode).toBe(3)
  expect(out).toContain(`Different: ${differences.length} differences.`)
  expect(out).toContain(
    `changelog [${counterNow.partition}] "${wrongCounter}" count: expected ${countOfKey(wrongCounter)}, ` +
      `found 1000000 (record at [${counterNow.partition}] offset ${counterNow.offset})`,
  )
  expect(out).toContain(
    `of ${changelog} [${counterNow.partition}], which belongs to no commit: no input between`,
  )
})

test('a processor that goes on from a wrong counter: the first wrong commit is named, with the input it has counted', async () => {
  const app = await counted('ranges', 2000)
  const changelog = changelogOf(app)
  const ends = (await report(app)).report.input.map(({ end }) => end)
  const key = 'total'
  const partition = partitionOf(Buffer.from(key), partitionCount)
  const total = JSON.parse(String((await lastRecords(app, app.config.outputTopic)).get(key)!.value))
  const value = counterBytes({
    ...{ count: total.count + 5, panes: [[], [], [], []] },
    ...{ firstSeen: Date.parse(total.first_seen), lastSeen: Date.parse(total.last_seen) },
  })
  await plant(app, [{ topic: changelog, partition, key: Buffer.from(`\u0001${key}`), value }])
  // The next instance has nothing but the changelog.
  rmSync(join(app.stateDir, app.config.appId), { recursive: true })
  const more = await app.produceLogins(1000, { seed: 2 })
  const instance = app.start()
  const deadline = systemClock.monotonic() + 60_000
  let found = (await report(app)).report
  while (!found.caughtUp && systemClock.monotonic() < deadline) found = (await report(app)).report
  expect(await instance.stop()).toBe(0)

  const difference = find(found.differences, 'changelog', 'count', key)
  const expected = total.count + countOf(more).valid
  expect(difference).toMatchObject({ partition, expected, found: expected + 5 })
  const range = difference?.range
  expect(range).toMatchObject({ isCommit: true, isExact: true })
  expect(range!.counted).toBe(range!.expected + 5)
  expect(range!.input.length).toBeGreaterThan(0)
  for (const { partition: source, from, to } of range!.input) {
    // All of it came after the wrong counter.
    expect(from).toBe(ends[source])
    expect(to).toBeGreaterThan(from)
  }
})

test('under load, after a kill and after a stop the counts are found equal, on a cut of their own each time', async () => {
  application = new Application('live')
  const app = application
  const load = await UnderLoad.start(app, { seed: 5, partitionCount })
  application = null // Closed with the load.
  const first = app.start()
  await first.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')
  const cuts: number[] = []
  const look = async (): Promise<void> => {
    const found = await app.verify()
    expect(found.differences).toEqual([])
    expect(found.verdict).toBe('equal')
    cuts.push(found.logins.valid + found.logins.invalid)
  }
  for (let round = 0; round < 8; round++) await look()
  await first.kill()
  await look()
  const second = app.start()
  await second.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')
  for (let round = 0; round < 4; round++) await look()
  expect(await second.stop()).toBe(0)
  await look()
  expect(new Set(cuts).size).toBeGreaterThan(6)
  const third = app.start()
  await load.expectExact(2)
  expect(await third.stop()).toBe(0)
})

test('a transaction of the input that has not ended is told, and what is behind it not called caught up without a word', async () => {
  const app = await counted('open', 500)
  const producer = foreignProducer(app)
  await producer.init()
  const value = Buffer.from(JSON.stringify({ user_id: 'u', timestamp: Math.floor(systemClock.now() / 1000) }))
  await send(producer, [{ topic: app.config.inputTopic, partition: 1, key: null, value }])
  const { report: open } = await report(app)
  expect(open).toMatchObject({ verdict: 'equal', caughtUp: true })
  expect(open.input.map((one) => one.open)).toEqual([0, 1])
  const { out } = await command(['verify'], app.environment)
  expect(out).toContain('caught up     with all that is committed, but transactions are open')
  expect(out).toMatch(/open +1 offset of the input in partition 1, from \d+ on: a transaction has not ended/)
  await producer.commit()
  producer.close()
  expect((await report(app)).report).toMatchObject({ caughtUp: false })
})

test('logins whose partial counts were lost between the stages are told, though nothing came after them', async () => {
  const app = await counted('lost-partials', 500)
  const { inputTopic, appId } = app.config
  const value = Buffer.from(JSON.stringify({ user_id: 'u', timestamp: Math.floor(systemClock.now() / 1000) }))
  await plant(app, [{ topic: inputTopic, partition: 1, key: null, value }])
  expect((await report(app)).report).toMatchObject({ verdict: 'equal', caughtUp: false, underWay: [] })
  // As a first stage would that has lost what it has sent.
  const partition = { topic: inputTopic, partition: 1 }
  const [end = 0] = await app.kafka.admin.listOffsets([partition], 'lastStable')
  const producer = foreignProducer(app)
  await producer.init()
  const identity = { groupId: appId, generationId: -1, memberId: '', instanceId: null }
  await producer.sendOffsets(identity, [{ partition, offset: end, metadata: '' }])
  await producer.commit()
  producer.close()
  await expect.poll(async () => (await report(app)).report.verdict).toBe('different')
  const { differences } = (await report(app)).report
  expect(find(differences, 'changelog', 'count', 'total')).toMatchObject({ expected: expect.any(Number) })
  expect(new Set(differences.map(({ key }) => key.split(':')[0]))).toEqual(
    new Set(['total', 'locale', 'device_type', 'app_version']),
  )
})

test('a topic that was made again is named, and nothing is compared with it', async () => {
  const app = await counted('recreated', 500)
  const { admin } = app.kafka
  const remake = async (name: string): Promise<string> => {
    await admin.deleteTopics([name])
    const deadline = systemClock.monotonic() + 30_000
    while ((await admin.topics([name])).has(name) && systemClock.monotonic() < deadline)
      await systemClock.sleep(100)
    await admin.createTopics([{ name, partitionCount, replicationFactor: -1, config: {} }])
    return (await admin.topics([name])).get(name)?.topicId ?? ''
  }
  const { inputTopic } = app.config
  const was = (await admin.topics([inputTopic])).get(inputTopic)?.topicId
  const is = await remake(inputTopic)
  await app.produceLogins(500, { seed: 3 })
  const input = await report(app)
  expect(input.exitCode).toBe(exitCodes.impossible)
  expect(input.report).toMatchObject({
    ...{ recreated: [{ topic: inputTopic, was, is }], differenceCount: 1, keys: 0 },
    differences: [{ where: 'topics', what: 'id', key: inputTopic, expected: was, found: is }],
  })
  const changelog = changelogOf(app)
  await remake(changelog)
  const state = await report(app)
  expect(state.exitCode).toBe(exitCodes.different)
  expect(state.report.recreated).toMatchObject([{ topic: changelog, was: null }])
  const { out } = await command(['verify'], app.environment)
  expect(out).toContain(`${changelog} was deleted and made again since it was counted`)
})
