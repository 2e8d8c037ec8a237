/**
 * `acls` against an authorizer that denies what it was not told to allow: the lines of a command are enough for it, and none of them can
 * be weakened. To weaken a line is to leave of it no more than what it implies: Describe of Read, Write, Delete and Alter, else nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { coded } from '../../src/errors.ts'
import { connectKafka } from '../../src/kafka/index.ts'
import { type LocalKafka, runKafkaTool, startLocalKafka } from '../../src/local-kafka/index.ts'
import { type Acl, type AclCommand, aclsOf } from '../../src/login-stats/acls/acls.ts'
import { type Config, loadConfig } from '../../src/login-stats/config/index.ts'
import { loginGenerator } from '../../src/login-stats/generator/login-generator.ts'
import type { Summary } from '../../src/login-stats/http/api-schemas.ts'
import { openProcessor, type Processor } from '../../src/login-stats/processor.ts'
import { openService } from '../../src/login-stats/service.ts'
import { type KafkaClient, partitionsOf } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'
import { createLogger } from '../../src/system/logger.ts'
import { systemRandom } from '../../src/system/random.ts'
import { uniquePrefix } from '../support/broker.ts'
import { runHere } from '../support/here.ts'

const principal = 'User:application'
const silent = createLogger({ level: 'silent' })
/** Of a processor that neither gets anywhere nor ends. */
const limitMs = 20_000
/** Of a service that lacks a right: with all rights it takes a third of it. */
const servesWithinMs = 10_000
/** More than twice as long as what has been read stays in the repartition topic. */
const purgedAfterMs = 75_000

let kafka: LocalKafka
const stateDirs: string[] = []
/** With all rights. */
let client: KafkaClient
let admin: Admin

beforeAll(async () => {
  kafka = await startLocalKafka({ security: 'sasl_ssl', sources: ['docker', 'maven'] })
  const brokers = kafka.adminBootstrapServers.split(',')
  client = connectKafka({
    bootstrapServers: brokers,
    ...{ clientId: 'acls-test', clock: systemClock, random: systemRandom, log: silent, compression: 'none' },
  })
  admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
})

afterAll(async () => {
  await admin?.disconnect()
  await client?.close()
  await kafka?.close()
  for (const directory of stateDirs) rmSync(directory, { recursive: true, force: true })
})

/** An application of its own, as a user that may do nothing but what it is granted. */
class GrantedApplication {
  readonly environment: Readonly<Record<string, string>>
  readonly config: Config
  readonly stateDir: string
  #granted: readonly Acl[] = []

  constructor(settings: Readonly<Record<string, string>> = {}) {
    const prefix = uniquePrefix('acl')
    this.stateDir = mkdtempSync(join(tmpdir(), `${prefix}-`))
    stateDirs.push(this.stateDir)
    this.environment = {
      KAFKA_BROKERS: kafka.bootstrapServers,
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256',
      KAFKA_SASL_USERNAME: kafka.saslSsl?.application.username ?? '',
      KAFKA_SASL_PASSWORD: kafka.saslSsl?.application.password ?? '',
      KAFKA_SSL_CA_LOCATION: kafka.saslSsl?.caPath ?? '',
      APP_ID: prefix,
      INPUT_TOPIC: `${prefix}-in`,
      OUTPUT_TOPIC: `${prefix}-out`,
      DLQ_TOPIC: `${prefix}-dead`,
      ENRICHED_TOPIC: `${prefix}-enriched`,
      STATE_DIR: this.stateDir,
      STREAM_THREADS: '1',
      // What stands around the processor has a test of its own.
      ...{ HTTP_PORT: '', INSIGHTS_TOPIC: settings.HTTP_PORT === undefined ? '' : `${prefix}-insights` },
      ...settings,
    }
    this.config = loadConfig(this.environment)
  }

  lines(command: AclCommand): Acl[] {
    return aclsOf(this.config, [command])
  }

  /** Allows this and nothing else; resolves when the broker's authorizer knows it. */
  async grant(acls: readonly Acl[]): Promise<void> {
    const gone = this.#granted.filter((acl) => !acls.includes(acl))
    const added = acls.filter((acl) => !this.#granted.includes(acl))
    this.#granted = acls
    if (gone.length > 0) await admin.deleteAcls({ filters: gone.map(entry) })
    if (added.length > 0) await admin.createAcls({ acl: added.map(entry) })
    const expected = acls.map(nameOf).toSorted()
    await expect.poll(() => grantedTo(this.config.appId), { interval: 10 }).toEqual(expected)
  }

  async create(topic: string | null, partitionCount: number): Promise<void> {
    if (topic === null) return
    await client.admin.createTopics([{ name: topic, partitionCount, replicationFactor: -1, config: {} }])
  }

  /** Some logins, valid and invalid ones. */
  async produce(): Promise<void> {
    const generator = loginGenerator({ seed: 1, invalidShare: 0.3, clock: () => systemClock.now() })
    const producer = client.producer({
      transactionalId: `${this.config.appId}-test`,
      transactionTimeoutMs: 9000,
    })
    await producer.init()
    const records = producer.appender()
    for (let count = 0; count < 40; count++) {
      const { value, timestampMs } = generator.next().value
      records.append(null, value, timestampMs)
    }
    await producer.send([{ partition: { topic: this.config.inputTopic, partition: 0 }, records }])
    await producer.commit()
    producer.close()
  }

  /** Whether each topic that the processor writes for others has something in it. */
  async hasCounted(): Promise<boolean> {
    const { outputTopic, dlqTopic, enrichedTopic } = this.config
    for (const topic of [outputTopic, dlqTopic ?? '', enrichedTopic ?? ''])
      if (!(await this.reaches(topic, 'lastStable'))) return false
    return true
  }

  hasPurged(): Promise<boolean> {
    return this.reaches(`${this.config.appId}-counts-repartition`, 'earliest')
  }

  async reaches(topic: string, which: 'earliest' | 'lastStable'): Promise<boolean> {
    const count = (await client.admin.topics([topic])).get(topic)?.partitionCount ?? 0
    const partitions = partitionsOf(topic, count)
    return (await client.admin.listOffsets(partitions, which)).some((offset) => offset > 0)
  }

  /** Runs the processor with all that stands around it; returns whether it came to that in time. */
  async serves(until: (url: string) => Promise<boolean>, patienceMs: number): Promise<boolean> {
    const service = await openService({ config: this.config, logTo: { level: 'silent' } }, silent)
    const running = service.run()
    try {
      const deadline = systemClock.monotonic() + patienceMs
      while (systemClock.monotonic() < deadline) {
        if (await until(`http://127.0.0.1:${service.httpPort}`)) return true
        await systemClock.sleep(50)
      }
      return false
    } finally {
      await this.#end(service, running)
    }
  }

  /** Runs the processor until then; returns why it ended before, or null if it did not. */
  async run(until: () => Promise<boolean>, patienceMs = limitMs): Promise<string | null> {
    const processor = await openProcessor({ config: this.config, logTo: { level: 'silent' } }, silent)
    let ended: string | null = null
    const running = processor.run().then(
      () => 'stopped',
      (error: unknown) => {
        ended = coded(error, 'run').code
      },
    )
    try {
      const deadline = systemClock.monotonic() + patienceMs
      while (ended === null && !(await until())) {
        if (systemClock.monotonic() > deadline) return 'too late'
        await systemClock.sleep(50)
      }
      return ended
    } finally {
      await this.#end(processor, running)
    }
  }

  /** The next one begins without a store. */
  async #end(ran: Pick<Processor, 'stop' | 'close'>, running: Promise<unknown>): Promise<void> {
    ran.stop()
    await running
    await ran.close()
    rmSync(this.stateDir, { recursive: true, force: true })
  }
}

const resourceTypes = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  'transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
}
const patternTypes = { literal: ResourcePatternTypes.LITERAL, prefixed: ResourcePatternTypes.PREFIXED }
const operations = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Create: AclOperationTypes.CREATE,
  Delete: AclOperationTypes.DELETE,
  Alter: AclOperationTypes.ALTER,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
}

function entry({ type, name, pattern, operation }: Acl) {
  return {
    resourceType: resourceTypes[type],
    resourceName: name,
    resourcePatternType: patternTypes[pattern],
    operation: operations[operation],
    permissionType: AclPermissionTypes.ALLOW,
    ...{ principal, host: '*' },
  }
}

function nameOf(acl: Acl): string {
  const { resourceType, resourcePatternType, operation } = entry(acl)
  return [resourceType, acl.name, resourcePatternType, operation].join(' ')
}

/** What the broker allows on resources whose names begin so. */
async function grantedTo(prefix: string): Promise<string[]> {
  const { resources } = await admin.describeAcls({
    resourceType: AclResourceTypes.ANY,
    resourcePatternType: ResourcePatternTypes.ANY,
    operation: AclOperationTypes.ANY,
    permissionType: AclPermissionTypes.ANY,
    principal,
  } as Parameters<Admin['describeAcls']>[0])
  return resources
    .filter(({ resourceName }) => resourceName.startsWith(prefix))
    .flatMap(({ resourceType, resourceName, resourcePatternType, acls }) =>
      acls.map(({ operation }) => [resourceType, resourceName, resourcePatternType, operation].join(' ')),
    )
    .toSorted()
}

function weakened(acls: readonly Acl[], index: number): Acl[] {
  return acls.flatMap((acl, at) => {
    if (at !== index) return [acl]
    return ['Read', 'Write', 'Delete', 'Alter'].includes(acl.operation)
      ? [{ ...acl, operation: 'Describe' as const }]
      : []
  })
}

function told({ type, operation, name }: Acl): string {
  return `${operation} of the ${type} ${name}`
}

/** With each line weakened in turn, one of the runs must fail for lack of rights. `prepare` makes what the runs find. */
async function expectEachNeeded(
  command: AclCommand,
  runs: readonly (readonly string[])[],
  prepare: (line: Acl | null) => Promise<GrantedApplication>,
): Promise<void> {
  const { length } = (await prepare(null)).lines(command)
  expect(length).toBeGreaterThan(0)
  for (let index = 0; index < length; index++) {
    const application = await prepare(new GrantedApplication().lines(command)[index] ?? null)
    const lines = application.lines(command)
    const line = lines[index] ?? expect.fail()
    await application.grant(weakened(lines, index))
    const failures: string[] = []
    for (const args of runs) {
      const { exitCode, err } = await runHere(args, application.environment)
      if (exitCode !== 0) failures.push(err)
    }
    expect(failures.join('\n'), `without ${told(line)}`).toContain('AUTHORIZATION_FAILED')
  }
  const application = await prepare(null)
  await application.grant(application.lines(command))
  for (const args of runs) {
    const { exitCode, err } = await runHere(args, application.environment)
    expect(exitCode, `${args.join(' ')}: ${err}`).toBe(0)
  }
}

/** An application whose input is there, and where the line is about growing topics, also those, with too few partitions. */
async function withInput(line: Acl | null, settings: Record<string, string> = {}) {
  const application = new GrantedApplication(settings)
  const { inputTopic, dlqTopic, enrichedTopic } = application.config
  const isAboutGrowth = line?.operation === 'Alter'
  await application.create(inputTopic, isAboutGrowth ? 2 : 1)
  if (isAboutGrowth) for (const topic of [dlqTopic, enrichedTopic]) await application.create(topic, 1)
  return application
}

/** One that has counted, and may do nothing any more. */
async function counted(): Promise<GrantedApplication> {
  const application = await withInput(null)
  await application.produce()
  await application.grant(application.lines('run'))
  expect(await application.run(() => application.hasCounted())).toBeNull()
  await application.grant([])
  return application
}

const isPurge = ({ operation }: Acl) => operation === 'Delete'

/** Runs the processor with one of its lines weakened, where that line is needed; returns the code it ends with. */
async function runWeakened(index: number, settings: Record<string, string>): Promise<string | null> {
  const application = await withInput(new GrantedApplication(settings).lines('run')[index] ?? null, settings)
  const lines = application.lines('run')
  const line = lines[index] ?? expect.fail()
  const counts = () => application.hasCounted()
  await application.produce()
  if (line.operation === 'Read' && line.name.endsWith('-changelog')) {
    // It is read where there is something to restore.
    await application.grant(lines)
    expect(await application.run(counts)).toBeNull()
    await application.grant(weakened(lines, index))
    return await application.run(async () => false)
  }
  const hasGrown = async () => {
    const topics = [...(await client.admin.topics([line.name])).values()]
    return topics.every(({ partitionCount }) => partitionCount === 2) && (await counts())
  }
  await application.grant(weakened(lines, index))
  return await application.run(line.operation === 'Alter' ? hasGrown : counts)
}

test('run: its lines are enough, and it needs each of them', async () => {
  // What has been read is deleted after a while only: until then the others are tried.
  const purging = [true, false].map(async (isAllowed) => {
    const application = await withInput(null)
    await application.produce()
    const lines = application.lines('run')
    await application.grant(isAllowed ? lines : weakened(lines, lines.findIndex(isPurge)))
    return await application.run(() => application.hasPurged(), purgedAfterMs)
  })
  for (const [index, line] of new GrantedApplication().lines('run').entries())
    if (!isPurge(line))
      expect(await runWeakened(index, {}), `without ${told(line)}`).toBe('AUTHORIZATION_FAILED')
  expect(await Promise.all(purging)).toEqual([null, 'AUTHORIZATION_FAILED'])
})

test('run: what answers over HTTP, and the insights, need their own lines, and each of them', async () => {
  const withAll = async () => {
    const application = await withInput(null, { HTTP_PORT: '0', INSIGHTS_INTERVAL: '1s' })
    await application.produce()
    return application
  }
  const isServing = (application: GrantedApplication) => async (url: string) => {
    const answer = await fetch(`${url}/api/summary`).catch(() => null)
    if (answer?.ok !== true) return false
    const { dead_letters: deadLetters } = (await answer.json()) as Summary
    const hasAnswered = deadLetters !== null && (await fetch(`${url}/api/tasks`)).ok
    return hasAnswered && (await application.reaches(application.config.insightsTopic ?? '', 'lastStable'))
  }
  const application = await withAll()
  await application.grant(application.lines('run'))
  expect(await application.serves(isServing(application), 2 * limitMs)).toBe(true)
  const names = (of: GrantedApplication) =>
    of.lines('run').map((line) => told(line).replaceAll(of.config.appId, ''))
  const withoutThem = names(new GrantedApplication())
  const further = names(application).filter((name) => !withoutThem.includes(name))
  expect(further.length).toBe(5)
  for (const name of further) {
    const other = await withAll()
    const lines = other.lines('run')
    await other.grant(weakened(lines, names(other).indexOf(name)))
    expect(await other.serves(isServing(other), servesWithinMs), `without ${name}`).toBe(false)
  }
})

test('run: with a transaction for each task it needs the lines of these', async () => {
  const settings = { TRANSACTION_SCOPE: 'task' }
  const application = await withInput(null, settings)
  await application.produce()
  await application.grant(application.lines('run'))
  expect(await application.run(() => application.hasCounted())).toBeNull()
  for (const [index, line] of application.lines('run').entries())
    if (line.type === 'transactional-id')
      expect(await runWeakened(index, settings), `without ${told(line)}`).toBe('AUTHORIZATION_FAILED')
})

test('table and verify need each of their lines, and no more', async () => {
  const application = await counted()
  await expectEachNeeded('table', [['table', '--json']], async () => application)
  await application.grant([])
  await expectEachNeeded('verify', [['verify']], async () => application)
})

test('dlq needs each of its lines, and no more', async () => {
  const application = await counted()
  const runs = [
    ['dlq', 'list'],
    ['dlq', 'replay', '--code', 'NOT_JSON'],
    ['dlq', 'replay'],
  ]
  const { appId } = application.config
  await expectEachNeeded('dlq', runs, async () => {
    await client.admin.deleteTopics([`${appId}-dlq-replay`])
    return application
  })
})

test('generate needs each of its lines, and no more', async () => {
  await expectEachNeeded('generate', [['generate', '--count', '5']], (line) => withInput(line))
})

test('topics create needs each of its lines, and no more', async () => {
  const runs = [['topics', 'create', '--partitions', '2']]
  await expectEachNeeded('topics', runs, async (line) => {
    if (line?.operation === 'Alter') return await withInput(line)
    return new GrantedApplication()
  })
})

test('reset needs each of its lines, and no more', async () => {
  await expectEachNeeded('reset', [['reset']], async () => {
    const application = new GrantedApplication()
    const { appId, outputTopic } = application.config
    const internal = ['repartition', 'changelog'].map((name) => `${appId}-counts-${name}`)
    for (const topic of [outputTopic, ...internal]) await application.create(topic, 1)
    const partition = { topic: outputTopic, partition: 0 }
    const producer = client.producer({ transactionalId: `${appId}-test`, transactionTimeoutMs: 9000 })
    await producer.init()
    const records = producer.appender()
    records.append(Buffer.from('total'), Buffer.from('{}'), systemClock.now())
    await producer.send([{ partition, records }])
    const nobody = { groupId: appId, generationId: -1, memberId: '', instanceId: null }
    await producer.sendOffsets(nobody, [{ partition, offset: 0, metadata: '' }])
    await producer.commit()
    producer.close()
    return application
  })
})

test("the lines that are printed do the same when Kafka's own tool is given them", async () => {
  const application = new GrantedApplication()
  const environment = { ...application.environment, KAFKA_BROKERS: kafka.adminBootstrapServers }
  const { out } = await runHere(['acls', '--principal', principal, '--command', 'dlq'], environment)
  for (const line of out.trim().split('\n')) {
    const [tool, ...args] = line.replace(/ #.*$/, '').split(' ')
    expect(tool).toBe('kafka-acls.sh')
    const { exitCode, stdout, stderr } = await runKafkaTool('org.apache.kafka.tools.AclCommand', args)
    expect(exitCode, `${stdout}${stderr}`).toBe(0)
  }
  await expect
    .poll(() => grantedTo(application.config.appId))
    .toEqual(application.lines('dlq').map(nameOf).toSorted())
})
