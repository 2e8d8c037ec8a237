/** The brokers of tests, demo and benchmarks: own ones here, whatever KAFKA_BROKERS says. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  type LocalKafka,
  type LocalKafkaSource,
  runKafkaTool,
  startLocalKafka,
} from '../../src/local-kafka/index.ts'
import { findJava } from '../../src/local-kafka/java.ts'
import { listedBrokers } from '../../src/local-kafka/readiness.ts'

const sources: readonly LocalKafkaSource[] = ['docker', 'maven']

/** Whether the broker answers at all, and with which brokers. */
function listed(address: string): Promise<number[] | 'silent'> {
  const [host = '', port = ''] = address.split(':')
  return listedBrokers(host, Number(port)).catch(() => 'silent' as const)
}

function accepts(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(':')
  return new Promise((resolve) => {
    const socket = connect(Number(port), host)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

describe('one broker', () => {
  let kafka: LocalKafka

  beforeAll(async () => {
    kafka = await startLocalKafka({ sources })
  })
  afterAll(() => kafka.close())

  const server = () => ['--bootstrap-server', kafka.bootstrapServers]

  const read = async () => {
    const args = ['--topic', 'words', '--from-beginning', '--max-messages', '2', '--timeout-ms', '20000']
    const { stdout } = await runKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      ...server(),
      ...args,
    ])
    return stdout.trim().split('\n')
  }

  test("serves Kafka's own tools, which tell their exit code", async () => {
    const topic = (...args: string[]) =>
      runKafkaTool('org.apache.kafka.tools.TopicCommand', [...server(), ...args])
    const created = await topic('--create', '--topic', 'words')
    expect(created).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Created topic words') })
    expect((await topic('--create', '--topic', 'words')).exitCode).toBe(1)
  })

  test('keeps address and data when stopped or killed and started again', async () => {
    const producer = ['--topic', 'words', ...server()]
    const written = await runKafkaTool('org.apache.kafka.tools.ConsoleProducer', producer, {
      stdin: 'one\ntwo\n',
    })
    expect(written.exitCode).toBe(0)
    const broker = kafka.broker(1)
    for (const end of ['stop', 'kill'] as const) {
      await broker[end]()
      expect(await accepts(broker.address)).toBe(false)
      await broker.start()
      expect(await listed(broker.address)).toEqual([1])
    }
    expect(await read()).toEqual(['one', 'two'])
  })

  test('is silent while paused, and goes on when resumed', async () => {
    const broker = kafka.broker(1)
    await broker.pause()
    expect(await listed(broker.address)).toBe('silent')
    expect(await accepts(broker.address)).toBe(true)
    await broker.resume()
    await vi.waitFor(async () => expect(await listed(broker.address)).toEqual([1]), { timeout: 20_000 })
  })

  test('there is no broker but ours', () => {
    expect(() => kafka.broker(2)).toThrowError(expect.objectContaining({ code: 'LOCAL_KAFKA_UNAVAILABLE' }))
  })
})

describe('three brokers', () => {
  test('go on while one is gone, and take it back', async () => {
    const kafka = await startLocalKafka({ sources, brokers: 3 })
    try {
      const [first = '', second = '', third = ''] = kafka.bootstrapServers.split(',')
      expect(await listed(third)).toEqual(expect.arrayContaining([1, 2, 3]))
      const client = new Kafka({ brokers: [second, third], logLevel: logLevel.NOTHING })
      const admin = client.admin()
      await admin.connect()
      await kafka.broker(1).kill()
      await vi.waitFor(async () => expect((await listed(second)).length).toBe(2), { timeout: 20_000 })
      await admin.createTopics({
        topics: [{ topic: 'two-replicas', numPartitions: 3, replicationFactor: 2 }],
      })
      await admin.disconnect()
      await kafka.broker(1).start()
      expect(await listed(first)).toContain(1)
    } finally {
      await kafka.close()
    }
  })
})

describe('SASL_SSL', () => {
  let kafka: LocalKafka

  beforeAll(async () => {
    kafka = await startLocalKafka({ sources, security: 'sasl_ssl' })
  })
  afterAll(() => kafka.close())

  const adminOf = async (
    mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512',
    user: { username: string; password: string },
  ) => {
    const ca = readFileSync(kafka.saslSsl!.caPath, 'utf8')
    const sasl = { mechanism: mechanism as 'plain', ...user }
    const brokers = kafka.bootstrapServers.split(',')
    const admin = new Kafka({
      brokers,
      ssl: { ca },
      sasl,
      retry: { retries: 0 },
      logLevel: logLevel.NOTHING,
    }).admin()
    await admin.connect()
    return admin
  }

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'lets the administrator in by %s',
    async (mechanism) => {
      const admin = await adminOf(mechanism, kafka.saslSsl!.admin)
      await admin.createTopics({ topics: [{ topic: `by-${mechanism}` }] })
      expect(await admin.listTopics()).toContain(`by-${mechanism}`)
      await admin.disconnect()
    },
  )

  test('refuses a wrong password', async () => {
    const { username } = kafka.saslSsl!.admin
    await expect(adminOf('scram-sha-512', { username, password: 'wrong' })).rejects.toThrow()
  })

  test('allows the application nothing but what an ACL grants', async () => {
    const application = await adminOf('scram-sha-512', kafka.saslSsl!.application)
    const [inside = ''] = kafka.adminBootstrapServers.split(',')
    const admin = new Kafka({ brokers: [inside], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'granted' }, { topic: 'not-granted' }] })
    expect(await application.listTopics()).toEqual([])
    const granted = {
      resourceType: AclResourceTypes.TOPIC,
      resourceName: 'granted',
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:application',
      host: '*',
      operation: AclOperationTypes.DESCRIBE,
      permissionType: AclPermissionTypes.ALLOW,
    }
    await admin.createAcls({ acl: [granted] })
    await vi.waitFor(async () => expect(await application.listTopics()).toEqual(['granted']), {
      timeout: 20_000,
    })
    await application.disconnect()
    await admin.disconnect()
  })
})

test('a broker does not outlive a process that was killed', async () => {
  const module = join(import.meta.dirname, '../../src/local-kafka/index.ts')
  const script = `
    import { startLocalKafka } from ${JSON.stringify(module)}
    const kafka = await startLocalKafka({ sources: ${JSON.stringify(sources)} })
    console.log(kafka.bootstrapServers)
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const address = await new Promise<string>((resolve, reject) => {
    parent.stdout.once('data', (line: Buffer) => resolve(line.toString().trim()))
    parent.once('exit', () => reject(new Error('The process ended before its broker was up.')))
  })
  expect(await accepts(address)).toBe(true)
  parent.kill('SIGKILL')
  await vi.waitFor(async () => expect(await accepts(address)).toBe(false), { timeout: 30_000 })
})

test('a broker that cannot start says why, with the end of its log', async () => {
  const config = { 'authorizer.class.name': 'no.such.Authorizer' }
  const why =
    'missing' in (await findJava())
      ? /Java/
      : /\[maven\].*Broker 1 ended with exit code 1.*no\.such\.Authorizer/s
  await expect(startLocalKafka({ sources: ['maven'], config })).rejects.toMatchObject({
    code: 'LOCAL_KAFKA_UNAVAILABLE',
    message: expect.stringMatching(why),
  })
})
