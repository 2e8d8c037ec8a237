/**
 * What a broker of ours is configured with. Every broker is also a controller and has three listeners:
 * CLIENT (what the application connects to), INTERNAL (between brokers, for the readiness check and for
 * administration: plain and with all rights) and CONTROLLER.
 */
import type { SaslUser } from './types.ts'

export interface BrokerAddress {
  readonly id: number
  /** What the listeners bind to. */
  readonly listenHost: string
  /** What clients are told to connect to. */
  readonly clientHost: string
  /** What the other brokers connect to. */
  readonly internalHost: string
  readonly clientPort: number
  readonly internalPort: number
  readonly controllerPort: number
}

export interface SaslSslSettings {
  readonly keyStorePath: string
  readonly keyStorePassword: string
  /** The first may do everything, the others what ACLs grant. */
  readonly users: readonly [SaslUser, ...SaslUser[]]
}

export interface ServerSettings {
  readonly dataDirectory: string
  readonly saslSsl: SaslSslSettings | null
  /** Goes before everything else. */
  readonly config: Readonly<Record<string, string>>
}

type Properties = Record<string, string>

export function serverProperties(
  broker: BrokerAddress,
  all: readonly BrokerAddress[],
  settings: ServerSettings,
): string {
  const properties: Properties = {
    ...network(broker, all, settings.saslSsl === null ? 'PLAINTEXT' : 'SASL_SSL'),
    'log.dirs': settings.dataDirectory,
    ...replication(all.length),
    ...quickness,
    ...(settings.saslSsl === null ? {} : security(settings.saslSsl)),
    ...settings.config,
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${escapeValue(value)}\n`)
    .join('')
}

function network(broker: BrokerAddress, all: readonly BrokerAddress[], clientProtocol: string): Properties {
  const listen = (name: string, port: number) => `${name}://${broker.listenHost}:${port}`
  return {
    'process.roles': 'broker,controller',
    'node.id': String(broker.id),
    'controller.quorum.voters': all
      .map(({ id, internalHost, controllerPort }) => `${id}@${internalHost}:${controllerPort}`)
      .join(','),
    listeners: [
      listen('CLIENT', broker.clientPort),
      listen('INTERNAL', broker.internalPort),
      listen('CONTROLLER', broker.controllerPort),
    ].join(','),
    'advertised.listeners': [
      `CLIENT://${broker.clientHost}:${broker.clientPort}`,
      `INTERNAL://${broker.internalHost}:${broker.internalPort}`,
      `CONTROLLER://${broker.internalHost}:${broker.controllerPort}`,
    ].join(','),
    'listener.security.protocol.map': `CLIENT:${clientProtocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'inter.broker.listener.name': 'INTERNAL',
    'controller.listener.names': 'CONTROLLER',
  }
}

function replication(brokers: number): Properties {
  const factor = String(brokers)
  const inSync = String(brokers > 1 ? brokers - 1 : 1)
  return {
    'default.replication.factor': factor,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': factor,
    'transaction.state.log.replication.factor': factor,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': factor,
    'share.coordinator.state.topic.min.isr': inSync,
  }
}

/** A broker that is up soon, uses little, and lets tests have short sessions. */
const quickness: Properties = {
  'auto.create.topics.enable': 'false',
  'group.initial.rebalance.delay.ms': '0',
  // A broker that was killed may register again only after the session of the one before has ended.
  'broker.heartbeat.interval.ms': '1000',
  'broker.session.timeout.ms': '4000',
  'group.min.session.timeout.ms': '1000',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.num.partitions': '4',
  'log.cleaner.dedupe.buffer.size': String(16 * 1024 * 1024),
}

const scramMechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

function security({ keyStorePath, keyStorePassword, users }: SaslSslSettings): Properties {
  const listener = 'listener.name.client'
  const plainUsers = users.map(({ username, password }) => `user_${username}="${password}"`).join(' ')
  const properties: Properties = {
    [`${listener}.sasl.enabled.mechanisms`]: ['PLAIN', ...scramMechanisms].join(','),
    [`${listener}.plain.sasl.jaas.config`]: `org.apache.kafka.common.security.plain.PlainLoginModule required ${plainUsers};`,
    [`${listener}.ssl.keystore.type`]: 'PKCS12',
    [`${listener}.ssl.keystore.location`]: keyStorePath,
    [`${listener}.ssl.keystore.password`]: keyStorePassword,
    [`${listener}.ssl.key.password`]: keyStorePassword,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'false',
    'super.users': `User:${users[0].username};User:ANONYMOUS`,
  }
  for (const mechanism of scramMechanisms) {
    properties[`${listener}.${mechanism.toLowerCase()}.sasl.jaas.config`] =
      'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  }
  return properties
}

/** Arguments of the storage tool that put the SCRAM credentials into the first metadata. */
export function scramArguments({ users }: SaslSslSettings): string[] {
  return scramMechanisms.flatMap((mechanism) =>
    users.flatMap(({ username, password }) => [
      '--add-scram',
      `${mechanism}=[name=${username},password=${password}]`,
    ]),
  )
}

/** In a properties file a backslash starts an escape and a line end ends the value. */
function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
