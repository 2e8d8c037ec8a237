import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig, settingList } from '../../../src/login-stats/config/index.ts'
import { chart, helm, kubeVersion, runHelm } from './chart.ts'

describe(`what contradicts itself is refused by helm${helm.reason}`, { timeout: 60_000 }, () => {
  const it = test.skipIf(helm.command === null)

  it.each([
    ['no brokers', ['kafka.brokers='], 'brokers'],
    ['brokers with a protocol', ['kafka.brokers=http://kafka:9092'], 'brokers'],
    ['a setting that does not exist', ['config.COMIT_INTERVAL_MS=50'], 'COMIT_INTERVAL_MS'],
    ['a setting that the chart sets itself', ['config.STATE_DIR=/tmp'], 'STATE_DIR'],
    ['a secret among the settings', ['config.KAFKA_SASL_PASSWORD=x'], 'KAFKA_SASL_PASSWORD'],
    ['a value that does not exist', ['replica=3'], 'replica'],
    ['another protocol', ['kafka.securityProtocol=TLS'], 'securityProtocol'],
    ['a volume that several nodes share', ['persistence.accessModes={ReadWriteMany}'], 'accessModes'],
    ['a session that brokers do not allow', ['restarts.sessionTimeoutMs=1000'], 'sessionTimeoutMs'],
    ['SASL without a password', ['kafka.securityProtocol=SASL_SSL'], 'kafka.sasl.mechanism'],
    ['SASL that would not be used', ['kafka.sasl.existingSecret=x'], 'kafka.sasl has no effect'],
    ['TLS files that would not be used', ['kafka.tls.existingSecret=x'], 'kafka.tls has no effect'],
    [
      'a certificate without its key',
      ['kafka.securityProtocol=SSL,kafka.tls.existingSecret=x,kafka.tls.certKey=a'],
      'one needs the other',
    ],
    [
      'a key without its certificate',
      ['kafka.securityProtocol=SSL,kafka.tls.existingSecret=x,kafka.tls.keyKey=a'],
      'one needs the other',
    ],
    [
      'a certificate from no Secret',
      ['kafka.securityProtocol=SSL,kafka.tls.certKey=a,kafka.tls.keyKey=b'],
      'are keys of kafka.tls.existingSecret',
    ],
    [
      'a Secret of which nothing is used',
      ['kafka.securityProtocol=SSL,kafka.tls.existingSecret=x,kafka.tls.caKey='],
      'kafka.tls.existingSecret has no effect',
    ],
    [
      'the password of no key',
      ['kafka.securityProtocol=SSL,kafka.tls.existingSecret=x,kafka.tls.keyPasswordKey=a'],
      'kafka.tls.keyPasswordKey has no effect',
    ],
    [
      'a setting in extraEnv too',
      ['extraEnv[0].name=STATE_DIR,extraEnv[0].value=/x'],
      'sets STATE_DIR already',
    ],
    [
      'another value of a setting in extraEnv',
      ['config.APP_ID=a,extraEnv[0].name=APP_ID,extraEnv[0].value=b'],
      'sets APP_ID already',
    ],
    ['addresses hashed without a key', ['config.ENRICHED_IP=hmac'], 'enrichedIp.existingSecret'],
    ['to wait for pods that come back as others', ['persistence.enabled=false'], 'needs persistence'],
    ['a policy that keeps it from Kafka', ['kafka.brokers=kafka:9093'], 'does not have port 9093'],
    [
      'to leave out an alert that does not exist',
      ['prometheusRule.disabledAlerts={LoginStatsGone}'],
      'no alert LoginStatsGone',
    ],
    [
      'KEDA that may not find Kafka from where it runs',
      ['autoscaling.type=keda', 'kafka.brokers=kafka-0.kafka:9092'],
      'autoscaling.keda.bootstrapServers is needed',
    ],
    [
      'a stall that ends before a session does',
      ['config.MAX_STALL_MS=60000'],
      'config.MAX_STALL_MS=60000 must be above restarts.sessionTimeoutMs (60000)',
    ],
    [
      'a session that outlasts a stall',
      ['restarts.sessionTimeoutMs=200000', 'config.MAX_STALL_MS=150000'],
      'config.MAX_STALL_MS=150000 must be above restarts.sessionTimeoutMs (200000)',
    ],
    [
      'commits that a session does not outlast',
      ['config.COMMIT_INTERVAL_MS=6000', 'restarts.sessionTimeoutMs=6000'],
      'config.COMMIT_INTERVAL_MS=6000 must be below restarts.sessionTimeoutMs (6000)',
    ],
    ['fewer at most than at least', ['autoscaling.minReplicas=9'], 'minReplicas'],
  ])('refuses %s', (_what, sets, message) => {
    expect(refusal(...sets)).toContain(message)
  })

  it('refuses to be installed without brokers', () => {
    const { exitCode, output } = runHelm('template', 'release', chart, ...kubeVersion)
    expect(exitCode).not.toBe(0)
    expect(output).toContain('brokers')
  })

  const topics = ['INPUT_TOPIC', 'OUTPUT_TOPIC', 'DLQ_TOPIC', 'INSIGHTS_TOPIC']
  it.each<[string, string, NodeJS.ProcessEnv]>([
    ['a key that hashes nothing', 'enrichedIp.existingSecret=x', { ENRICHED_IP_KEY: 'k'.repeat(16) }],
    [
      'a password in clear',
      'kafka.securityProtocol=SASL_PLAINTEXT,kafka.sasl.mechanism=PLAIN,kafka.sasl.username=a,kafka.sasl.existingSecret=x',
      {
        ...{ KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT', KAFKA_SASL_MECHANISM: 'PLAIN' },
        ...{ KAFKA_SASL_USERNAME: 'a', KAFKA_SASL_PASSWORD: 'x' },
      },
    ],
    ...topics.map((variable): [string, string, NodeJS.ProcessEnv] => [
      `two uses of the topic that ${variable} names by default`,
      `config.ENRICHED_TOPIC=${defaultOf(variable)}`,
      { ENRICHED_TOPIC: defaultOf(variable) },
    ]),
    ...['counts-repartition', 'counts-changelog', 'dlq-replay'].map(
      (name): [string, string, NodeJS.ProcessEnv] => [
        `an output that is its own ${name}`,
        `config.APP_ID=a,config.OUTPUT_TOPIC=a-${name}`,
        { APP_ID: 'a', OUTPUT_TOPIC: `a-${name}` },
      ],
    ),
  ])('refuses as the program does: %s', (_what, set, environment) => {
    let message = ''
    try {
      loadConfig(environment)
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain('CONFIG_INVALID')
    expect(refusal(set)).toMatch(/has no effect|in clear|name the same topic/)
  })

  it('takes topics that are switched off, however many', () => {
    const { exitCode, output } = template('config.DLQ_TOPIC=,config.INSIGHTS_TOPIC=,config.ENRICHED_TOPIC=')
    expect(exitCode, output).toBe(0)
  })
})

function template(...sets: string[]) {
  return runHelm(
    ...['template', 'release', chart, ...kubeVersion, '--values', join(chart, 'ci/minimal-values.yaml')],
    ...sets.flatMap((set) => ['--set', set]),
  )
}

function refusal(...sets: string[]): string {
  const { exitCode, output } = template(...sets)
  expect(exitCode).not.toBe(0)
  return output
}

function defaultOf(name: string): string {
  const found = settingList.find(({ variable }) => variable === name)
  if (typeof found?.default !== 'string') throw new Error(`no default of ${name}`)
  return found.default
}
