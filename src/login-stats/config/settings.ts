/**
 * Every setting, in one table: its variable, default, meaning and kind. The README's table and `login-stats config` are made
 * of it, and so is the schema that the environment is held against.
 */
import { z } from 'zod'
import {
  brokerList,
  choice,
  dimensionList,
  duration,
  flag,
  httpOrigin,
  integer,
  optional,
  secretKey,
  text,
  topicName,
  type Value,
  windowList,
} from './values.ts'

export interface Setting<T = unknown> {
  /** The environment variable. A secret may also stand in a file, which `<variable>_FILE` names. */
  readonly variable: string
  /** Another variable that says the same. */
  readonly alias?: string
  /** As it would stand in the environment; empty where nothing is set. */
  readonly default: string
  /** One sentence, for the README and for `login-stats config`. */
  readonly description: string
  /** Its value is never printed. */
  readonly secret?: boolean
  /** The empty text says something else than the default does, e.g. "off". Elsewhere empty means default. */
  readonly emptyMeans?: string
  readonly value: Value<T>
}

/** Room for what is added to APP_ID in the names of internal topics and transactional ids. */
const internalNameRoom = '-counts-repartition'.length

const securityProtocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

const dayInMs = 86_400_000

export const settings = {
  brokers: {
    variable: 'KAFKA_BROKERS',
    alias: 'KAFKA_BOOTSTRAP_SERVERS',
    default: 'localhost:9092',
    description: 'Brokers to start from, host:port, separated by commas.',
    value: brokerList,
  },
  securityProtocol: {
    variable: 'KAFKA_SECURITY_PROTOCOL',
    default: 'PLAINTEXT',
    description: 'PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.',
    value: choice(securityProtocols),
  },
  saslMechanism: {
    variable: 'KAFKA_SASL_MECHANISM',
    default: '',
    description: 'PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; needed with SASL.',
    value: optional(choice(saslMechanisms)),
  },
  saslUsername: {
    variable: 'KAFKA_SASL_USERNAME',
    default: '',
    description: 'User name; needed with SASL.',
    value: optional(text),
  },
  saslPassword: {
    variable: 'KAFKA_SASL_PASSWORD',
    default: '',
    description: 'Password; needed with SASL.',
    secret: true,
    value: optional(text),
  },
  sslCaLocation: {
    variable: 'KAFKA_SSL_CA_LOCATION',
    default: '',
    description: "PEM file of the authorities that sign the brokers' certificates; empty: those of Node.",
    value: optional(text),
  },
  sslCertificateLocation: {
    variable: 'KAFKA_SSL_CERTIFICATE_LOCATION',
    default: '',
    description: "PEM file of this client's certificate, where the brokers ask for one.",
    value: optional(text),
  },
  sslKeyLocation: {
    variable: 'KAFKA_SSL_KEY_LOCATION',
    default: '',
    description: "PEM file of that certificate's private key.",
    value: optional(text),
  },
  sslKeyPassword: {
    variable: 'KAFKA_SSL_KEY_PASSWORD',
    default: '',
    description: 'Password of that private key, where it has one.',
    secret: true,
    value: optional(text),
  },
  allowInsecureSasl: {
    variable: 'KAFKA_ALLOW_INSECURE_SASL',
    default: 'false',
    description: 'Allows SASL PLAIN without TLS, which sends the password in clear.',
    value: flag,
  },
  appId: {
    variable: 'APP_ID',
    default: 'login-stats',
    description: 'Consumer group, and prefix of internal topics and transactional ids.',
    value: topicName(internalNameRoom),
  },
  inputTopic: {
    variable: 'INPUT_TOPIC',
    default: 'user-login',
    description: 'Topic of the login events; must exist.',
    value: topicName(),
  },
  outputTopic: {
    variable: 'OUTPUT_TOPIC',
    default: 'login-stats',
    description: 'Topic of the table: compacted, one row per key.',
    value: topicName(),
  },
  dlqTopic: {
    variable: 'DLQ_TOPIC',
    default: 'user-login-dlq',
    description: 'Topic of the records that could not be read; empty: off.',
    emptyMeans: 'off',
    value: optional(topicName()),
  },
  enrichedTopic: {
    variable: 'ENRICHED_TOPIC',
    default: '',
    description: 'Topic of one enriched record for every valid login; empty: off.',
    emptyMeans: 'off',
    value: optional(topicName()),
  },
  enrichedIp: {
    variable: 'ENRICHED_IP',
    default: 'keep',
    description:
      'The ip in enriched records: keep, truncate (the network: IPv4 without its last number, IPv6 /48) or hmac (a pseudonym).',
    value: choice(['keep', 'truncate', 'hmac'] as const),
  },
  enrichedIpKey: {
    variable: 'ENRICHED_IP_KEY',
    default: '',
    description: 'Secret of ENRICHED_IP=hmac, of at least 16 characters; another one gives other pseudonyms.',
    secret: true,
    value: optional(secretKey),
  },
  statsPartitions: {
    variable: 'STATS_PARTITIONS',
    default: '',
    description:
      'Partitions of the table and of the internal topics; empty: as the input has at the first start. Fixed from then on.',
    value: optional(integer(1, 10_000)),
  },
  replicationFactor: {
    variable: 'REPLICATION_FACTOR',
    default: '-1',
    description: "Of every topic that is made; -1: the broker's own default.",
    value: integer(-1, 32_767),
  },
  minInsyncReplicas: {
    variable: 'MIN_INSYNC_REPLICAS',
    default: '',
    description: "min.insync.replicas of every topic that is made; empty: the broker's own default.",
    value: optional(integer(1, 32_767)),
  },
  dimensions: {
    variable: 'DIMENSIONS',
    default: 'locale,device_type,app_version',
    description: 'What is counted by: JSON fields, or fields joined by "+"; empty: the total alone.',
    emptyMeans: 'none',
    value: dimensionList,
  },
  rollingWindows: {
    variable: 'ROLLING_WINDOWS',
    default: '1m,5m,1h,24h',
    description: 'Windows of the rolling counts; empty: none.',
    emptyMeans: 'none',
    value: windowList,
  },
  rollingPanes: {
    variable: 'ROLLING_PANES',
    default: '60',
    description: 'Panes of each window: how finely it rolls.',
    value: integer(1, 1440),
  },
  rollingClock: {
    variable: 'ROLLING_CLOCK',
    default: 'event',
    description: 'event, or wall: rolling counts also decay while no login arrives.',
    value: choice(['event', 'wall'] as const),
  },
  maxClockSkewMs: {
    variable: 'MAX_CLOCK_SKEW',
    default: '5m',
    description:
      'How far the time of a login may be ahead of its record, and stream time ahead of the clock.',
    value: duration(0, 365 * dayInMs),
  },
  stateDir: {
    variable: 'STATE_DIR',
    default: './state',
    description: 'Directory of the local stores, one LevelDB per task.',
    value: text,
  },
  sessionTimeoutMs: {
    variable: 'SESSION_TIMEOUT_MS',
    default: '10000',
    description: 'After how long without a heartbeat the group takes this instance for dead.',
    value: integer(1000, 3_600_000),
  },
  leaveGroupOnStop: {
    variable: 'LEAVE_GROUP_ON_STOP',
    default: 'true',
    description: 'false for rolling restarts: the tasks wait for this instance until the session time-out.',
    value: flag,
  },
  maxStallMs: {
    variable: 'MAX_STALL_MS',
    default: '300000',
    description: 'A thread without progress for so long gives up its tasks, and the process exits non-zero.',
    value: integer(1000, dayInMs),
  },
  offsetLost: {
    variable: 'OFFSET_LOST',
    default: 'stop',
    description:
      'Where a partition was counted before but the group has lost its offset: stop, earliest or latest.',
    value: choice(['stop', 'earliest', 'latest'] as const),
  },
  streamThreads: {
    variable: 'STREAM_THREADS',
    default: '',
    description: 'Worker threads, each a group member; empty: one per core, at most the number of tasks.',
    value: optional(integer(1, 256)),
  },
  commitIntervalMs: {
    variable: 'COMMIT_INTERVAL_MS',
    default: '100',
    description: 'Upper bound of the time between commits; when caught up they come earlier.',
    value: integer(1, 60_000),
  },
  transactionScope: {
    variable: 'TRANSACTION_SCOPE',
    default: 'thread',
    description:
      'thread: the tasks of a thread commit together, which costs less; task: each alone, so that who takes tasks over from a dead instance need not wait for its transaction.',
    value: choice(['thread', 'task'] as const),
  },
  standbyReplicas: {
    variable: 'STANDBY_REPLICAS',
    default: '0',
    description: 'Warm copies of each store on other instances.',
    value: integer(0, 16),
  },
  compression: {
    variable: 'COMPRESSION',
    default: 'snappy',
    description: 'Of the records that are written: none, gzip, snappy, lz4 or zstd.',
    value: choice(compressions),
  },
  httpHost: {
    variable: 'HTTP_HOST',
    default: '127.0.0.1',
    description: 'Address that the HTTP server listens on.',
    value: text,
  },
  httpPort: {
    variable: 'HTTP_PORT',
    default: '8080',
    description: 'Port of the HTTP server; 0: a free one, which is logged; empty: no server.',
    emptyMeans: 'no server',
    value: optional(integer(0, 65_535)),
  },
  httpAdvertisedUrl: {
    variable: 'HTTP_ADVERTISED_URL',
    default: '',
    description:
      'Where the other instances reach the HTTP server of this one, such as http://host:8080; empty: its address, or the host name where it listens on all.',
    value: optional(httpOrigin),
  },
  insightsTopic: {
    variable: 'INSIGHTS_TOPIC',
    default: 'user-login-insights',
    description:
      'Topic of a summary record each INSIGHTS_INTERVAL, written by one instance at a time; empty: off.',
    emptyMeans: 'off',
    value: optional(topicName()),
  },
  insightsInterval: {
    variable: 'INSIGHTS_INTERVAL',
    default: '20s',
    description: 'How often a summary is written to INSIGHTS_TOPIC and to the log.',
    value: duration(1000, dayInMs),
  },
  logLevel: {
    variable: 'LOG_LEVEL',
    default: 'info',
    description: 'debug, info, warn, error or silent; JSON lines on standard output.',
    value: choice(logLevels),
  },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof settings

/** The typed value of each setting. */
export type Values = { readonly [Name in SettingName]: z.output<(typeof settings)[Name]['value']> }

/** The settings that shape the state, by name: a store made with others is refused. */
export const stateShapingSettings: readonly SettingName[] = [
  'dimensions',
  'rollingWindows',
  'rollingPanes',
  'statsPartitions',
]

/** All settings by name; `Object.entries` would forget what the names are. */
export const settingList: readonly (Setting & { readonly name: SettingName })[] = Object.entries(
  settings,
).map(([name, setting]) => ({ ...setting, name: name as SettingName }))

type Shape = { readonly [Name in SettingName]: (typeof settings)[Name]['value'] }

/** One schema of all settings: from the texts by setting name to the typed values. */
export const settingsSchema = z.object(
  Object.fromEntries(settingList.map(({ name, value }) => [name, value])) as unknown as Shape,
)
