import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import {
  describeConfig,
  type Environment,
  kafkaSecurity,
  loadConfig,
  settingList,
} from '../../../../src/login-stats/config/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'login-stats-config-'))
afterAll(() => rmSync(directory, { recursive: true }))

function file(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

/** The problems that the one error lists. */
function problems(environment: Environment): string[] {
  try {
    loadConfig(environment)
  } catch (error) {
    expect(error).toBeInstanceOf(CodedError)
    expect((error as CodedError).code).toBe('CONFIG_INVALID')
    return [...(error as CodedError).message.matchAll(/^ {2}- (.*)$/gm)].map((match) => match[1]!)
  }
  return []
}

describe('loadConfig', () => {
  it('gives every default, typed', () => {
    const { sources, ...values } = loadConfig({})
    expect(values).toEqual({
      brokers: ['localhost:9092'],
      securityProtocol: 'PLAINTEXT',
      saslMechanism: null,
      saslUsername: null,
      saslPassword: null,
      sslCaLocation: null,
      sslCertificateLocation: null,
      sslKeyLocation: null,
      sslKeyPassword: null,
      allowInsecureSasl: false,
      appId: 'login-stats',
      inputTopic: 'user-login',
      outputTopic: 'login-stats',
      dlqTopic: 'user-login-dlq',
      enrichedTopic: null,
      enrichedIp: 'keep',
      enrichedIpKey: null,
      statsPartitions: null,
      replicationFactor: -1,
      minInsyncReplicas: null,
      dimensions: [
        { name: 'locale', fields: ['locale'] },
        { name: 'device_type', fields: ['device_type'] },
        { name: 'app_version', fields: ['app_version'] },
      ],
      rollingWindows: [
        { name: '1m', durationMs: 60_000 },
        { name: '5m', durationMs: 300_000 },
        { name: '1h', durationMs: 3_600_000 },
        { name: '24h', durationMs: 86_400_000 },
      ],
      rollingPanes: 60,
      rollingClock: 'event',
      maxClockSkewMs: 300_000,
      stateDir: './state',
      sessionTimeoutMs: 10_000,
      leaveGroupOnStop: true,
      maxStallMs: 300_000,
      offsetLost: 'stop',
      streamThreads: null,
      commitIntervalMs: 100,
      transactionScope: 'thread',
      standbyReplicas: 0,
      compression: 'snappy',
      httpHost: '127.0.0.1',
      httpPort: 8080,
      httpAdvertisedUrl: null,
      insightsTopic: 'user-login-insights',
      insightsInterval: 20_000,
      logLevel: 'info',
    })
    expect(new Set(Object.values(sources).map(({ from }) => from))).toEqual(new Set(['default']))
  })

  it('reads values of every kind', () => {
    const config = loadConfig({
      KAFKA_BROKERS: ' one:9092, two.example:9093 ',
      DIMENSIONS: 'locale+device_type, app_version',
      ROLLING_WINDOWS: '250ms,2s',
      ROLLING_PANES: '10',
      MAX_CLOCK_SKEW: '0s',
      LEAVE_GROUP_ON_STOP: 'FALSE',
      STATS_PARTITIONS: '12',
      COMPRESSION: 'ZSTD',
      HTTP_PORT: '0',
    })
    expect(config.brokers).toEqual(['one:9092', 'two.example:9093'])
    expect(config.dimensions).toEqual([
      { name: 'locale+device_type', fields: ['locale', 'device_type'] },
      { name: 'app_version', fields: ['app_version'] },
    ])
    expect(config.rollingWindows).toEqual([
      { name: '250ms', durationMs: 250 },
      { name: '2s', durationMs: 2000 },
    ])
    expect(config).toMatchObject({
      maxClockSkewMs: 0,
      leaveGroupOnStop: false,
      statsPartitions: 12,
      compression: 'zstd',
      httpPort: 0,
    })
  })

  it('takes an empty text for "off" where that means something, else for the default', () => {
    const config = loadConfig({
      DLQ_TOPIC: '',
      HTTP_PORT: '',
      ROLLING_WINDOWS: '',
      DIMENSIONS: '',
      APP_ID: '',
      COMMIT_INTERVAL_MS: '',
    })
    expect(config).toMatchObject({
      dlqTopic: null,
      httpPort: null,
      rollingWindows: [],
      dimensions: [],
      appId: 'login-stats',
      commitIntervalMs: 100,
    })
    expect(config.sources.appId.from).toBe('default')
    expect(config.sources.dlqTopic.from).toBe('environment')
  })

  it('lists every problem in one message', () => {
    expect(
      problems({
        KAFKA_BROKERS: 'localhost',
        COMMIT_INTERVAL_MS: 'fast',
        STATS_PARTITIONS: '0',
        LOG_LEVEL: 'loud',
        LOGIN_STATS_APP_ID: 'x',
      }),
    ).toEqual([
      'LOGIN_STATS_APP_ID: there is no such setting; did you mean APP_ID?',
      'KAFKA_BROKERS=localhost: must be a list of host:port, separated by commas, not "localhost"',
      'STATS_PARTITIONS=0: must be a whole number from 1 to 10000',
      'COMMIT_INTERVAL_MS=fast: must be a whole number from 1 to 60000',
      'LOG_LEVEL=loud: must be one of debug, info, warn, error, silent',
    ])
  })

  it.each([
    [{ APP_ID: 'a b' }, 'APP_ID=a b: must consist of letters'],
    [{ APP_ID: 'a'.repeat(231) }, 'must have at most 230 characters'],
    [{ INPUT_TOPIC: '..' }, 'INPUT_TOPIC=..: must consist of'],
    [{ COMMIT_INTERVAL_MS: '1e2' }, 'must be a whole number'],
    [{ REPLICATION_FACTOR: '-2' }, 'from -1 to'],
    [{ LEAVE_GROUP_ON_STOP: 'yes' }, 'must be true or false'],
    [{ MAX_CLOCK_SKEW: '5' }, 'must be a duration like 250ms'],
    [{ MAX_CLOCK_SKEW: '366d' }, 'must be from 0ms to 365d'],
    [{ ROLLING_WINDOWS: '1m,0s' }, 'not "0s"'],
    [{ ROLLING_WINDOWS: '1m,60s' }, 'holds the same window twice: 1m and 60s'],
    [{ ROLLING_WINDOWS: '1w' }, 'must be a duration'],
    [{ DIMENSIONS: 'locale,locale' }, 'names a dimension twice'],
    [{ DIMENSIONS: 'locale+' }, 'has an empty field name'],
    [{ DIMENSIONS: 'a,,b' }, 'has an empty field name'],
    [{ DIMENSIONS: 'a+a' }, 'names a field twice'],
    [{ HTTP_PORT: '65536' }, 'from 0 to 65535'],
    [{ KAFKA_BROKERS: 'a:1', KAFKA_BOOTSTRAP_SERVERS: 'b:1' }, 'are both set, and differ'],
    [{ LOGIN_STATS_QQQQQQQ: '1' }, 'LOGIN_STATS_QQQQQQQ: there is no such setting'],
    [{ DLQ_TOPIC: 'user-login' }, 'INPUT_TOPIC and DLQ_TOPIC name the same topic, user-login'],
    [{ OUTPUT_TOPIC: 'login-stats-counts-changelog' }, 'OUTPUT_TOPIC and the changelog of APP_ID'],
    [{ COMMIT_INTERVAL_MS: '10000' }, 'must be below SESSION_TIMEOUT_MS (10000)'],
    [{ MAX_STALL_MS: '10000' }, 'must be above SESSION_TIMEOUT_MS (10000)'],
    [{ ROLLING_PANES: '7' }, '1m (60000 ms) cannot be divided into ROLLING_PANES=7 panes'],
    [
      { KAFKA_SASL_USERNAME: 'u' },
      'KAFKA_SASL_USERNAME: has no effect with KAFKA_SECURITY_PROTOCOL=PLAINTEXT',
    ],
    [{ KAFKA_SSL_CA_LOCATION: '/ca' }, 'KAFKA_SSL_CA_LOCATION: has no effect'],
    [{ KAFKA_SECURITY_PROTOCOL: 'SASL_SSL' }, 'KAFKA_SASL_MECHANISM: is needed'],
    [{ KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_KEY_LOCATION: '/k' }, 'one needs the other'],
    [{ ENRICHED_IP: 'hash' }, 'must be one of keep, truncate, hmac'],
    [{ ENRICHED_IP: 'hmac' }, 'ENRICHED_IP_KEY: is needed with ENRICHED_IP=hmac'],
    [{ ENRICHED_IP_KEY: 'x'.repeat(16) }, 'ENRICHED_IP_KEY: has no effect with ENRICHED_IP=keep'],
    [{ ENRICHED_IP: 'hmac', ENRICHED_IP_KEY: 'fifteen letters' }, 'must have at least 16 characters'],
  ])('refuses %o', (environment, expected) => {
    expect(problems(environment as unknown as Environment).join('\n')).toContain(expected)
  })

  it.each([
    ['http://host:8080', 'http://host:8080'],
    ['https://host.example/', 'https://host.example'],
    ['http://[fd00::1]:8080', 'http://[fd00::1]:8080'],
    ['http://login-stats-0.login-stats-headless.stats.svc:8080', undefined],
  ])('HTTP_ADVERTISED_URL may be an origin: %s', (given, read = given) => {
    expect(loadConfig({ HTTP_ADVERTISED_URL: given }).httpAdvertisedUrl).toBe(read)
  })

  it.each([
    'host:8080',
    'ftp://host:8080',
    'http://',
    'http://proxy/path',
    'http://host:8080/?q=1',
    'http://host:8080?',
    'http://host:8080/#top',
    'http://user@host:8080',
    'http://@host:8080',
    'http://user:sesame@host:8080',
    'http://user:ses@me/sesame@host:8080',
  ])('HTTP_ADVERTISED_URL may be nothing but an origin: %s', (given) => {
    const [problem = '', ...more] = problems({ HTTP_ADVERTISED_URL: given })
    expect(more).toEqual([])
    expect(problem).toContain(
      ': must be a URL such as http://host:8080, without user, password, path or query',
    )
    expect(problem).not.toMatch(/user[:@]|ses/)
  })

  it('tells no credentials that stand where brokers should', () => {
    expect(problems({ KAFKA_BROKERS: 'a:1,me:sesame@b:2' })).toEqual([
      'KAFKA_BROKERS=***@b:2: must be a list of host:port, separated by commas, not "***@b:2"',
    ])
  })

  it('takes the brokers from KAFKA_BOOTSTRAP_SERVERS too, also where both say the same', () => {
    expect(loadConfig({ KAFKA_BOOTSTRAP_SERVERS: 'b:1' }).brokers).toEqual(['b:1'])
    expect(loadConfig({ KAFKA_BROKERS: 'b:1', KAFKA_BOOTSTRAP_SERVERS: 'b:1' }).brokers).toEqual(['b:1'])
  })
})

const sasl = {
  KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
  KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
  KAFKA_SASL_USERNAME: 'me',
}

describe('secrets', () => {
  it('come from a file too, without the newline at its end', () => {
    const path = file('password', 'open sesame \n')
    const config = loadConfig({ ...sasl, KAFKA_SASL_PASSWORD_FILE: path })
    expect(config.saslPassword).toBe('open sesame ')
    expect(config.sources.saslPassword.from).toBe('file')
  })

  it('keep the blanks that stand in the environment', () => {
    expect(loadConfig({ ...sasl, KAFKA_SASL_PASSWORD: ' x ' }).saslPassword).toBe(' x ')
  })

  it('are refused where they are given twice, or in a file that cannot be read or is empty', () => {
    const path = file('empty', '\n')
    expect(problems({ ...sasl, KAFKA_SASL_PASSWORD: 'a', KAFKA_SASL_PASSWORD_FILE: path })).toContain(
      'KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both set: keep one',
    )
    expect(problems({ ...sasl, KAFKA_SASL_PASSWORD_FILE: path })).toContain(
      `KAFKA_SASL_PASSWORD_FILE=${path}: is empty`,
    )
    expect(problems({ ...sasl, KAFKA_SASL_PASSWORD_FILE: join(directory, 'none') })).toContain(
      `KAFKA_SASL_PASSWORD_FILE=${join(directory, 'none')}: cannot be read (ENOENT)`,
    )
  })

  it('never show in the description, nor in an error', () => {
    const environment = { ...sasl, KAFKA_SASL_PASSWORD: 'sesame' }
    expect(JSON.stringify(describeConfig(loadConfig(environment)))).not.toContain('sesame')
    expect(problems({ ...environment, APP_ID: '?' }).join()).not.toContain('sesame')
    expect(problems({ ENRICHED_IP: 'hmac', ENRICHED_IP_KEY: 'open sesame' }).join()).not.toContain('sesame')
  })
})

describe('describeConfig', () => {
  it('has one row for each setting, with its value, where it came from, and whether it is obeyed', () => {
    const rows = describeConfig(loadConfig({ APP_ID: 'mine' }))
    expect(rows.map(({ variable }) => variable)).toEqual(settingList.map(({ variable }) => variable))
    expect(rows.find(({ variable }) => variable === 'APP_ID')).toMatchObject({
      value: 'mine',
      from: 'environment',
    })
    expect(rows.find(({ variable }) => variable === 'STANDBY_REPLICAS')).toMatchObject({
      value: '0',
      from: 'default',
    })
  })
})

describe('kafkaSecurity', () => {
  it('gives nothing for PLAINTEXT', () => {
    expect(kafkaSecurity(loadConfig({}))).toEqual({})
  })

  it('gives TLS with the contents of the files', () => {
    const config = loadConfig({
      KAFKA_SECURITY_PROTOCOL: 'ssl',
      KAFKA_SSL_CA_LOCATION: file('ca.pem', 'the ca'),
      KAFKA_SSL_CERTIFICATE_LOCATION: file('cert.pem', 'the certificate'),
      KAFKA_SSL_KEY_LOCATION: file('key.pem', 'the key'),
      KAFKA_SSL_KEY_PASSWORD: 'secret',
    })
    expect(kafkaSecurity(config)).toEqual({
      ssl: { ca: ['the ca'], cert: 'the certificate', key: 'the key', passphrase: 'secret' },
    })
  })

  it('gives SASL and TLS for SASL_SSL', () => {
    const config = loadConfig({
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      KAFKA_SASL_MECHANISM: 'PLAIN',
      KAFKA_SASL_USERNAME: 'me',
      KAFKA_SASL_PASSWORD: 'secret',
    })
    expect(kafkaSecurity(config)).toEqual({
      ssl: {},
      sasl: { mechanism: 'plain', username: 'me', password: 'secret' },
    })
  })

  it('refuses PLAIN without TLS, unless that is allowed in so many words', () => {
    const insecure = { ...sasl, KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_PASSWORD: 'secret' }
    expect(problems(insecure).join()).toContain('the password would travel in clear')
    const allowed = loadConfig({ ...insecure, KAFKA_ALLOW_INSECURE_SASL: 'true' })
    expect(kafkaSecurity(allowed)).toEqual({
      sasl: { mechanism: 'plain', username: 'me', password: 'secret' },
    })
  })

  it('names the TLS files that cannot be read', () => {
    const config = loadConfig({ KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_CA_LOCATION: '/nowhere/ca.pem' })
    expect(() => kafkaSecurity(config)).toThrow(
      'KAFKA_SSL_CA_LOCATION=/nowhere/ca.pem: cannot be read (ENOENT)',
    )
  })
})
