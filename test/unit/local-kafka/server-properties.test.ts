import { describe, expect, test } from 'vitest'
import {
  type BrokerAddress,
  type ServerSettings,
  scramArguments,
  serverProperties,
} from '../../../src/local-kafka/server-properties.ts'

const brokers: BrokerAddress[] = [1, 2, 3].map((id) => ({
  id,
  listenHost: '0.0.0.0',
  clientHost: '127.0.0.1',
  internalHost: `kafka-${id}`,
  clientPort: 100 + id,
  internalPort: 200 + id,
  controllerPort: 300 + id,
}))
const plain: ServerSettings = { dataDirectory: '/data', saslSsl: null, config: {} }
const saslSsl = {
  keyStorePath: '/keys/broker.p12',
  keyStorePassword: 'secret',
  users: [
    { username: 'admin', password: 'a' },
    { username: 'application', password: 'b' },
  ],
} as const

function properties(all: BrokerAddress[], settings: ServerSettings, index = 0): Record<string, string> {
  const lines = serverProperties(all[index]!, all, settings).trimEnd().split('\n')
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

describe('the properties of a broker', () => {
  test('give clients an address of this machine and the other brokers one of their network', () => {
    expect(properties(brokers, plain, 1)).toMatchObject({
      'node.id': '2',
      listeners: 'CLIENT://0.0.0.0:102,INTERNAL://0.0.0.0:202,CONTROLLER://0.0.0.0:302',
      'advertised.listeners': 'CLIENT://127.0.0.1:102,INTERNAL://kafka-2:202,CONTROLLER://kafka-2:302',
      'controller.quorum.voters': '1@kafka-1:301,2@kafka-2:302,3@kafka-3:303',
    })
  })

  test.each([
    [1, '1', '1'],
    [3, '3', '2'],
  ])('replicate what %i brokers can replicate, and serve with one of three gone', (count, factor, inSync) => {
    expect(properties(brokers.slice(0, count), plain)).toMatchObject({
      'default.replication.factor': factor,
      'min.insync.replicas': inSync,
      'offsets.topic.replication.factor': factor,
      'transaction.state.log.replication.factor': factor,
      'transaction.state.log.min.isr': inSync,
    })
  })

  test('yield to the settings of the caller', () => {
    const config = { 'group.initial.rebalance.delay.ms': '3000', 'log.cleaner.backoff.ms': '1' }
    expect(properties(brokers, { ...plain, config })).toMatchObject(config)
    expect(properties(brokers, plain)['group.initial.rebalance.delay.ms']).toBe('0')
  })

  test('allow nothing without an ACL under sasl_ssl, but to the administrator and inside', () => {
    const secured = properties(brokers, { ...plain, saslSsl })
    expect(secured['listener.security.protocol.map']).toBe(
      'CLIENT:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
    )
    expect(secured['allow.everyone.if.no.acl.found']).toBe('false')
    expect(secured['super.users']).toBe('User:admin;User:ANONYMOUS')
    expect(secured['authorizer.class.name']).toContain('StandardAuthorizer')
    expect(properties(brokers, plain)['authorizer.class.name']).toBeUndefined()
  })

  test('escape what would change their meaning', () => {
    const text = serverProperties(brokers[0]!, brokers, { ...plain, config: { name: 'a\\b\nc' } })
    expect(text).toContain('name=a\\\\b\\nc\n')
  })
})

test('each user gets credentials for each SCRAM mechanism', () => {
  expect(scramArguments(saslSsl).filter((argument) => argument !== '--add-scram')).toEqual([
    'SCRAM-SHA-256=[name=admin,password=a]',
    'SCRAM-SHA-256=[name=application,password=b]',
    'SCRAM-SHA-512=[name=admin,password=a]',
    'SCRAM-SHA-512=[name=application,password=b]',
  ])
})
