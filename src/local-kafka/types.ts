/** Where a broker may come from, in the order in which it is looked for. */
export type LocalKafkaSource = 'environment' | 'docker' | 'maven'

export interface LocalKafkaOptions {
  /** How many brokers, each of them also a controller. Default 1. */
  readonly brokers?: 1 | 3
  /** What clients speak. `sasl_ssl` comes with an authorizer that allows nothing without an ACL. Default `plaintext`. */
  readonly security?: 'plaintext' | 'sasl_ssl'
  /** Version of Apache Kafka, 3.9 or later. Default 4.3.0. */
  readonly version?: string
  /** Broker settings that go before ours. */
  readonly config?: Readonly<Record<string, string>>
  /** `quick-start`: up soon, little memory (default). `throughput`: the JVM as a server has it, for benchmarks. */
  readonly jvm?: 'quick-start' | 'throughput'
  /** Where to look. Without `environment` the brokers are our own, to be stopped and killed. Default: all three. */
  readonly sources?: readonly LocalKafkaSource[]
  /** Told in sentences what is being done; a first start may take a minute. */
  readonly onProgress?: (text: string) => void
  /** Where it aborts before Kafka serves, child processes are ended and the call rejects; what Docker does goes on to its end. */
  readonly signal?: AbortSignal
}

/** One broker of ours. The calls resolve when their effect is there. */
export interface LocalBroker {
  readonly id: number
  /** host:port for clients; the same after a restart. */
  readonly address: string
  /** Ends it in order (SIGTERM) and waits for that. */
  stop(): Promise<void>
  /** Ends it at once (SIGKILL). */
  kill(): Promise<void>
  /** Freezes it (SIGSTOP): connections stay open, nothing answers. */
  pause(): Promise<void>
  /** Lets it go on (SIGCONT). */
  resume(): Promise<void>
  /** Starts it again after `stop` or `kill`, on the same ports and data; resolves when it serves. */
  start(): Promise<void>
}

export interface SaslUser {
  readonly username: string
  readonly password: string
}

/** What a client needs for SASL_SSL; mechanisms: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512. */
export interface SaslSslAccess {
  /** PEM file with the certificate to trust. */
  readonly caPath: string
  /** May do everything. */
  readonly admin: SaslUser
  /** May do nothing but what an ACL grants to `User:application`. */
  readonly application: SaslUser
}

export interface LocalKafka {
  /** host:port of every broker, separated by commas. */
  readonly bootstrapServers: string
  readonly source: LocalKafkaSource
  /** The brokers, by rising id; empty where they are not ours. */
  readonly brokers: readonly LocalBroker[]
  /** A listener without TLS and with all rights, also under `sasl_ssl`, e.g. to grant ACLs; as `bootstrapServers` if not ours. */
  readonly adminBootstrapServers: string
  /** With `security: 'sasl_ssl'` only. */
  readonly saslSsl: SaslSslAccess | null
  /** The broker with this id, from 1; LOCAL_KAFKA_UNAVAILABLE where the brokers are not ours. */
  broker(id: number): LocalBroker
  /** Ends all brokers and deletes their data. May be called more than once. */
  close(): Promise<void>
}

export const defaultKafkaVersion = '4.3.0'
