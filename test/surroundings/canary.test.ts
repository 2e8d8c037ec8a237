/**
 * What must never be seen: secrets, and what is personal in a login. All commands are run at the highest log level, against a broker that
 * also goes away and comes back, and everything they write is searched.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectKafka } from '../../src/kafka/index.ts'
import { freePorts } from '../../src/local-kafka/free-ports.ts'
import { type LocalKafka, startLocalKafka } from '../../src/local-kafka/index.ts'
import { ipMaskOf } from '../../src/login-stats/domain/ip-masking.ts'
import type { Header, KafkaClient } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'
import { createLogger } from '../../src/system/logger.ts'
import { systemRandom } from '../../src/system/random.ts'
import { readCommitted } from '../../src/verify/index.ts'
import { uniquePrefix } from '../support/broker.ts'
import { makeIdentity, privateKeyPem } from '../support/certificates.ts'
import { type CommandResult, command, startCommand } from '../support/command.ts'
import { runHere } from '../support/here.ts'

const directory = mkdtempSync(join(tmpdir(), 'login-stats-canary-'))
const prefix = uniquePrefix('canary-test')
const personal = {
  user_id: 'canary-of-a-user',
  ip: '203.0.113.177',
  device_id: 'canary-of-a-device',
}
const inOtherPlaces = ['canary-of-a-key', 'canary-of-a-header']
const keyPassword = 'canary-of-a-key-password'
const enrichedIpKey = 'canary-of-the-pseudonyms'

let kafka: LocalKafka
let client: KafkaClient
let environment: Readonly<Record<string, string>>
/** Of the processor's HTTP server. */
let url: string
/** Everything that any command has written, with its name. */
const written: { readonly by: string; readonly text: string }[] = []

function file(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

beforeAll(async () => {
  kafka = await startLocalKafka({ security: 'sasl_ssl', sources: ['docker', 'maven'] })
  client = connectKafka({
    bootstrapServers: kafka.adminBootstrapServers.split(','),
    ...{ clientId: 'canary-test', clock: systemClock, random: systemRandom, compression: 'none' },
    log: createLogger({ level: 'silent' }),
  })
  const identity = makeIdentity('login-stats')
  const [port] = await freePorts(1)
  url = `http://127.0.0.1:${port}`
  environment = {
    LOG_LEVEL: 'debug',
    KAFKA_BROKERS: kafka.bootstrapServers,
    KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
    KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    KAFKA_SASL_USERNAME: kafka.saslSsl?.admin.username ?? '',
    KAFKA_SASL_PASSWORD_FILE: file('password', kafka.saslSsl?.admin.password ?? ''),
    KAFKA_SSL_CA_LOCATION: kafka.saslSsl?.caPath ?? '',
    KAFKA_SSL_CERTIFICATE_LOCATION: file('client.pem', identity.certificate),
    KAFKA_SSL_KEY_LOCATION: file('client.key', privateKeyPem(identity, keyPassword)),
    KAFKA_SSL_KEY_PASSWORD: keyPassword,
    APP_ID: prefix,
    INPUT_TOPIC: `${prefix}-in`,
    OUTPUT_TOPIC: `${prefix}-out`,
    DLQ_TOPIC: `${prefix}-dead`,
    ENRICHED_TOPIC: `${prefix}-enriched`,
    ENRICHED_IP: 'hmac',
    ENRICHED_IP_KEY_FILE: file('ip-key', `${enrichedIpKey}\n`),
    STATE_DIR: join(directory, 'state'),
    STREAM_THREADS: '2',
    HTTP_PORT: String(port),
    INSIGHTS_TOPIC: `${prefix}-insights`,
    INSIGHTS_INTERVAL: '1s',
  }
})

afterAll(async () => {
  await client?.close()
  await kafka?.close()
  rmSync(directory, { recursive: true, force: true })
})

async function run(...args: string[]): Promise<CommandResult> {
  const result = await command(args, environment)
  written.push({ by: args.join(' '), text: result.out + result.err })
  return result
}

async function ok(...args: string[]): Promise<string> {
  const { exitCode, out, err } = await run(...args)
  expect(exitCode, `${args.join(' ')}: ${err}`).toBe(0)
  return out
}

const pages = ['/', '/metrics', '/openapi.json', '/livez', '/readyz']
const answers = ['table?limit=1000', 'table/total', 'summary', 'tasks', 'instance', 'insights', 'nothing']

/** Everything that the HTTP server tells to whoever asks. */
async function ask(): Promise<void> {
  for (const path of [...pages, ...answers.map((name) => `/api/${name}`)]) {
    const answer = await fetch(`${url}${path}`)
    expect(answer.status, path).toBe(path.endsWith('nothing') ? 404 : 200)
    const headers = JSON.stringify([...answer.headers])
    written.push({ by: path, text: headers + (await answer.text()) })
  }
  const events = '/api/stream?events=rows,summary,tasks'
  const stream = await fetch(`${url}${events}`, { signal: AbortSignal.timeout(2500) })
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const chunk of stream.body ?? []) text += decoder.decode(chunk, { stream: true })
  } catch (error) {
    // It goes on for ever.
    expect((error as Error).name).toBe('TimeoutError')
  }
  expect(text).toContain('event: summary')
  written.push({ by: events, text })
}

type Written = readonly (readonly [key: string, value: string])[]

async function write(topic: string, records: Written, headers: Header[] = []): Promise<void> {
  const producer = client.producer({ transactionalId: `${prefix}-test`, transactionTimeoutMs: 9000 })
  await producer.init()
  const batch = producer.appender()
  for (const [key, value] of records)
    batch.append(Buffer.from(key), Buffer.from(value), systemClock.now(), headers)
  await producer.send([{ partition: { topic, partition: 0 }, records: batch }])
  await producer.commit()
  producer.close()
}

/** One good login, and one that is wrong in each way that has a code. */
async function produce(): Promise<void> {
  const seconds = Math.floor(systemClock.now() / 1000)
  const good = { ...personal, locale: 'RU', device_type: 'ios', app_version: '1', timestamp: seconds }
  const values = [
    JSON.stringify(good),
    `${JSON.stringify(good).slice(0, -1)},`,
    JSON.stringify({ ...good, user_id: [personal.user_id] }),
    JSON.stringify({ ...good, timestamp: personal.user_id }),
    JSON.stringify({ ...good, timestamp: seconds + 7200 }),
    JSON.stringify({ ...good, locale: personal.user_id.repeat(40) }),
  ]
  const headers: Header[] = [['trace', Buffer.from('canary-of-a-header')]]
  const records = values.map((value) => ['canary-of-a-key', value] as const)
  await write(`${prefix}-in`, records, headers)
}

const lettersIn = async () => {
  const { out } = await runHere(['dlq', 'list', '--json'], environment)
  return out === '' ? null : JSON.parse(out).length
}

test('neither secrets nor personal data are written by any command, whatever happens', async () => {
  await ok('config')
  await ok('config', '--json')
  await ok('topics', 'create', '--partitions', '2')
  await produce()
  const processor = startCommand(['run'], environment)
  await expect.poll(lettersIn, { timeout: 30_000, interval: 500 }).toBe(5)
  await kafka.broker(1).stop()
  await systemClock.sleep(1500)
  await kafka.broker(1).start()
  await produce()
  await expect.poll(lettersIn, { timeout: 60_000, interval: 500 }).toBe(10)
  await ok('generate', '--count', '50')
  // Somebody has written to the table what does not belong there.
  await write(`${prefix}-out`, [['locale:ZZ', JSON.stringify(personal).slice(0, -1)]])
  await ok('table', '--json')
  const checked = await run('verify')
  expect(checked.exitCode, checked.out).toBe(3)
  expect(checked.out).toContain('expected a row, found none in')
  await ok('dlq', 'list')
  const [{ partition, offset }] = JSON.parse(await ok('dlq', 'list', '--json', '--limit', '1'))
  await ok('dlq', 'show', `${partition}:${offset}`)
  await ok('dlq', 'show', `${partition}:${offset}`, '--json')
  await ok('dlq', 'replay', '--json')
  await ask().catch(async (cause) => {
    processor.kill('SIGTERM')
    const { exitCode, err } = await processor.ended
    throw new Error(`no answer from the processor, which ended with ${exitCode}: ${err}`, { cause })
  })
  await run('reset')
  processor.kill('SIGTERM')
  const { exitCode, out, err } = await processor.ended
  expect(exitCode, err).toBe(0)
  written.push({ by: 'run', text: out + err })
  await ok('acls', '--principal', 'User:x')
  await ok('reset')
  const unreadable = { ...environment, KAFKA_SSL_KEY_PASSWORD: `${keyPassword}-wrong`, APP_ID: 'a b' }
  for (const args of [['run'], ['config'], ['verify']]) {
    const { out: told, err: error } = await command(args, unreadable)
    written.push({ by: `${args[0]} with wrong settings`, text: told + error })
  }

  // The processor has had much to tell, so that something could have been found.
  const log = written.find(({ by }) => by === 'run')?.text ?? ''
  expect(log.match(/"level":20/g)?.length).toBeGreaterThan(20)
  const never = [
    ...Object.values(personal),
    ...inOtherPlaces,
    ...[keyPassword, enrichedIpKey, kafka.saslSsl?.admin.password ?? ''],
  ]
  // Of timers of negative length, say: no start-up option keeps Node from telling.
  for (const { by, text } of written) expect(text, by).not.toMatch(/\(node:\d+\)/)
  for (const { by, text } of written)
    for (const canary of never) expect(text.includes(canary), `${canary} in the output of ${by}`).toBe(false)
})

test('the same data are there for who asks for them, and the enriched topic has pseudonyms in place of addresses', async () => {
  const rows = JSON.parse(await ok('dlq', 'list', '--json', '--oldest', '--limit', '1'))
  const shown = await command(
    ['dlq', 'show', `${rows[0].partition}:${rows[0].offset}`, '--value'],
    environment,
  )
  for (const canary of [...Object.values(personal), ...inOtherPlaces]) expect(shown.out).toContain(canary)

  const enriched: string[] = []
  const brokers = kafka.adminBootstrapServers.split(',')
  await readCommitted({ brokers }, `${prefix}-enriched`, { clock: systemClock }, ({ value }) => {
    enriched.push(String(value))
  })
  const ours = enriched.filter((text) => text.includes(personal.user_id))
  expect(ours.length).toBeGreaterThanOrEqual(2)
  const pseudonym = ipMaskOf({ mode: 'hmac', key: enrichedIpKey })?.(personal.ip)
  for (const text of ours) expect(JSON.parse(text).ip).toBe(pseudonym)
  expect(enriched.join()).not.toContain(personal.ip)
})
