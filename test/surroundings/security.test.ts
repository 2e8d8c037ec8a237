/**
 * A login counted over each way of being known to the brokers, and what is said where one is refused. The wire's own behaviour under
 * SASL_SSL is in test/contract/wire-security.test.ts.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LocalKafka, startLocalKafka } from '../../src/local-kafka/index.ts'
import { uniquePrefix } from '../support/broker.ts'
import { makeIdentity, privateKeyPem } from '../support/certificates.ts'
import { type CommandResult, command, startCommand } from '../support/command.ts'
import { runHere } from '../support/here.ts'

const sources = ['docker', 'maven'] as const
const directory = mkdtempSync(join(tmpdir(), 'login-stats-security-'))

afterAll(() => rmSync(directory, { recursive: true, force: true }))

function file(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

type Settings = Readonly<Record<string, string>>

/** As a user does it: topics, a few logins, the processor until they are in the table, and a recount. */
async function expectCounted(settings: Settings): Promise<void> {
  const prefix = uniquePrefix('secure')
  const environment = {
    APP_ID: prefix,
    INPUT_TOPIC: `${prefix}-in`,
    OUTPUT_TOPIC: `${prefix}-out`,
    DLQ_TOPIC: '',
    STATE_DIR: join(directory, prefix),
    STREAM_THREADS: '1',
    ...settings,
  }
  for (const args of [
    ['topics', 'create', '--partitions', '1'],
    ['generate', '--count', '7'],
  ]) {
    const { exitCode, err } = await runHere(args, environment)
    expect(exitCode, err).toBe(0)
  }
  const processor = startCommand(['run'], environment)
  const total = async () =>
    (await runHere(['table', '--json', '--dimension', 'total'], environment)).out.trim().split('\n')[0] ?? ''
  await expect.poll(total, { interval: 200 }).toContain('"count":7')
  const verified = await runHere(['verify'], environment)
  expect(verified.exitCode, verified.err).toBe(0)
  processor.kill('SIGTERM')
  const { exitCode, err } = await processor.ended
  expect(exitCode, err).toBe(0)
}

async function refusalOf(settings: Settings): Promise<string> {
  const { exitCode, err } = await runHere(['topics', 'create'], settings)
  expect(exitCode, err).toBe(1)
  return err
}

describe('SASL_SSL', () => {
  let kafka: LocalKafka
  let settings: Settings

  beforeAll(async () => {
    kafka = await startLocalKafka({ security: 'sasl_ssl', sources })
    settings = {
      KAFKA_BROKERS: kafka.bootstrapServers,
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      KAFKA_SSL_CA_LOCATION: kafka.saslSsl?.caPath ?? '',
      KAFKA_SASL_USERNAME: kafka.saslSsl?.admin.username ?? '',
      KAFKA_SASL_PASSWORD_FILE: file('password', `${kafka.saslSsl?.admin.password}\n`),
    }
  })
  afterAll(() => kafka?.close())

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])('with %s a login is counted', async (mechanism) => {
    await expectCounted({ ...settings, KAFKA_SASL_MECHANISM: mechanism })
  })

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])(
    'with %s and a wrong password it says which settings are wrong',
    async (mechanism) => {
      const wrong = file('wrong', 'sesame-never-shown')
      const err = await refusalOf({
        ...settings,
        KAFKA_SASL_MECHANISM: mechanism,
        KAFKA_SASL_PASSWORD_FILE: wrong,
        LOG_LEVEL: 'debug',
      })
      expect(err).toContain('AUTHENTICATION_FAILED')
      expect(err).toContain('KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM')
      expect(err).not.toContain('sesame')
    },
  )

  test('the processor ends by itself where it is not let in, and so does verify', async () => {
    const wrong = { ...settings, KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_PASSWORD_FILE: file('wrong', 'x') }
    const ended: CommandResult = await command(['run'], { ...wrong, STATE_DIR: join(directory, 'refused') })
    expect(ended.exitCode).toBe(1)
    expect(ended.err).toContain('AUTHENTICATION_FAILED')
    expect((await command(['verify'], wrong)).err).toContain('AUTHENTICATION_FAILED')
  })
})

describe('TLS', () => {
  const authority = makeIdentity('authority of the test', { isAuthority: true })
  const stranger = makeIdentity('another authority', { isAuthority: true })
  const caPath = file('ca.pem', authority.certificate)

  /** A broker whose listener for clients speaks TLS, with a certificate for these hosts. */
  async function brokerWith(clientAuth: 'none' | 'required', hosts: readonly string[]): Promise<LocalKafka> {
    const server = makeIdentity('broker', { issuer: authority, hosts })
    const listener = 'listener.name.client.ssl'
    return await startLocalKafka({
      sources,
      config: {
        'listener.security.protocol.map': 'CLIENT:SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
        [`${listener}.keystore.type`]: 'PEM',
        [`${listener}.keystore.key`]: privateKeyPem(server),
        [`${listener}.keystore.certificate.chain`]: server.certificate,
        [`${listener}.truststore.type`]: 'PEM',
        [`${listener}.truststore.certificates`]: authority.certificate,
        [`${listener}.client.auth`]: clientAuth,
      },
    })
  }

  test('alone: a login is counted; a broker that is not trusted, or has another name, is refused', async () => {
    const kafka = await brokerWith('none', ['127.0.0.1'])
    try {
      const settings = { KAFKA_BROKERS: kafka.bootstrapServers, KAFKA_SECURITY_PROTOCOL: 'SSL' }
      await expectCounted({ ...settings, KAFKA_SSL_CA_LOCATION: caPath })

      const other = file('other-ca.pem', stranger.certificate)
      for (const wrong of [{}, { KAFKA_SSL_CA_LOCATION: other }]) {
        const err = await refusalOf({ ...settings, ...wrong })
        expect(err).toContain('AUTHENTICATION_FAILED')
        expect(err).toContain('Set KAFKA_SSL_CA_LOCATION')
      }

      const [, port] = kafka.bootstrapServers.split(':')
      const byName = { ...settings, KAFKA_BROKERS: `localhost:${port}`, KAFKA_SSL_CA_LOCATION: caPath }
      const err = await refusalOf(byName)
      expect(err).toContain('AUTHENTICATION_FAILED')
      expect(err).toContain('as their certificates do')
    } finally {
      await kafka.close()
    }
  })

  test('on both sides: a login is counted, also with a key that has a password; others are refused', async () => {
    const kafka = await brokerWith('required', ['127.0.0.1', 'localhost'])
    try {
      const client = makeIdentity('login-stats', { issuer: authority })
      const settings = {
        KAFKA_BROKERS: kafka.bootstrapServers,
        KAFKA_SECURITY_PROTOCOL: 'SSL',
        KAFKA_SSL_CA_LOCATION: caPath,
        KAFKA_SSL_CERTIFICATE_LOCATION: file('client.pem', client.certificate),
      }
      const plain = { ...settings, KAFKA_SSL_KEY_LOCATION: file('client.key', privateKeyPem(client)) }
      await expectCounted(plain)
      const locked = {
        ...settings,
        KAFKA_SSL_KEY_LOCATION: file('locked.key', privateKeyPem(client, 'open sesame')),
      }
      await expectCounted({ ...locked, KAFKA_SSL_KEY_PASSWORD: 'open sesame' })

      const wrongPassword = await refusalOf({
        ...locked,
        KAFKA_SSL_KEY_PASSWORD: 'never-shown',
        LOG_LEVEL: 'debug',
      })
      expect(wrongPassword).toContain('AUTHENTICATION_FAILED')
      expect(wrongPassword).toContain('Check KAFKA_SSL_KEY_PASSWORD')
      expect(wrongPassword).not.toContain('never-shown')
      expect(await refusalOf(locked)).toContain('Check KAFKA_SSL_KEY_PASSWORD')

      const { KAFKA_SSL_CERTIFICATE_LOCATION: _, ...without } = settings
      const unknown = makeIdentity('login-stats', { issuer: stranger })
      const foreign = {
        ...settings,
        KAFKA_SSL_CERTIFICATE_LOCATION: file('foreign.pem', unknown.certificate),
        KAFKA_SSL_KEY_LOCATION: file('foreign.key', privateKeyPem(unknown)),
      }
      for (const refused of [without, foreign]) {
        const err = await refusalOf(refused)
        expect(err).toContain('AUTHENTICATION_FAILED')
        expect(err).toContain('KAFKA_SSL_CERTIFICATE_LOCATION')
      }
      const mixed = { ...plain, KAFKA_SSL_KEY_LOCATION: foreign.KAFKA_SSL_KEY_LOCATION }
      expect(await refusalOf(mixed)).toContain('its own private key')
    } finally {
      await kafka.close()
    }
  })
})
