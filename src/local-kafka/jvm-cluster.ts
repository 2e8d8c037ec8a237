/**
 * Apache Kafka from Maven Central, one child process per broker, in a temporary directory.
 *
 * 1. Jars, ports, directory, certificate.
 * 2. A server.properties per broker; `StorageTool format` makes its data directory.
 * 3. All brokers are started at once (a quorum needs more than one) until each knows all.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argumentId } from './argument-id.ts'
import { runCommand } from './command.ts'
import { freePorts } from './free-ports.ts'
import { findJava } from './java.ts'
import { JvmBroker } from './jvm-broker.ts'
import { kafkaJars } from './kafka-jars.ts'
import { type Credentials, makeCredentials } from './key-store.ts'
import { ownKafka } from './own-kafka.ts'
import { type BrokerAddress, scramArguments, serverProperties } from './server-properties.ts'
import { defaultKafkaVersion, type LocalKafka, type LocalKafkaOptions } from './types.ts'
import { unavailable } from './unavailable.ts'

const host = '127.0.0.1'
const operation = 'Starting Apache Kafka'

/** The first compiler and the serial collector start fastest and use the least; a benchmark wants neither. */
const jvmFlags = {
  'quick-start': ['-Xmx512m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto'],
  throughput: ['-Xmx1g', '-Xms1g', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'],
}

export async function startJvmCluster(options: LocalKafkaOptions): Promise<LocalKafka> {
  const java = await findJava()
  if ('missing' in java) throw unavailable(operation, `${java.missing}.`)
  const version = options.version ?? defaultKafkaVersion
  const jars = await kafkaJars(version, options)
  options.onProgress?.(`Starting Apache Kafka ${version}`)
  const addresses = await brokerAddresses(options.brokers ?? 1)
  const directory = await mkdtemp(join(tmpdir(), 'login-stats-kafka-'))
  let brokers: JvmBroker[] = []
  const close = async () => {
    await Promise.all(brokers.map((broker) => broker.kill()))
    await rm(directory, { recursive: true, force: true })
  }
  try {
    const credentials =
      options.security === 'sasl_ssl' ? await makeCredentials(keytoolOf(java.command), directory, host) : null
    brokers = await prepareBrokers(java.command, jars, directory, addresses, credentials, options)
    const ids = brokers.map(({ id }) => id)
    await Promise.all(brokers.map((broker) => broker.startAmong(ids, options.signal)))
    return ownKafka({ source: 'maven', addresses, brokers, saslSsl: credentials?.access ?? null, close })
  } catch (error) {
    await close()
    throw error
  }
}

/** The keytool beside this java, or on the PATH. */
function keytoolOf(java: string): string {
  return java.endsWith('/java') ? java.replace(/java$/, 'keytool') : 'keytool'
}

async function brokerAddresses(count: number): Promise<BrokerAddress[]> {
  const ports = await freePorts(count * 3)
  const port = (index: number) => ports[index] ?? 0
  return Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    listenHost: host,
    clientHost: host,
    internalHost: host,
    clientPort: port(index * 3),
    internalPort: port(index * 3 + 1),
    controllerPort: port(index * 3 + 2),
  }))
}

async function prepareBrokers(
  java: string,
  jars: string,
  clusterDirectory: string,
  addresses: readonly BrokerAddress[],
  credentials: Credentials | null,
  options: LocalKafkaOptions,
): Promise<JvmBroker[]> {
  const clusterId = argumentId()
  const javaArguments = [...jvmFlags[options.jvm ?? 'quick-start'], '-cp', join(jars, '*')]
  return Promise.all(
    addresses.map(async (address) => {
      const directory = join(clusterDirectory, `broker-${address.id}`)
      await mkdir(directory)
      const propertiesPath = join(directory, 'server.properties')
      const settings = {
        dataDirectory: join(directory, 'data'),
        saslSsl: credentials?.settings ?? null,
        config: options.config ?? {},
      }
      await writeFile(propertiesPath, serverProperties(address, addresses, settings))
      const scram = credentials === null ? [] : scramArguments(credentials.settings)
      const tool = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', propertiesPath, ...scram]
      await format(java, [...javaArguments, ...tool], options.signal)
      return new JvmBroker({ address, java, javaArguments, propertiesPath, directory, clusterDirectory })
    }),
  )
}

async function format(java: string, args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const { exitCode, stdout, stderr } = await runCommand(java, args, { signal })
  if (exitCode !== 0)
    throw unavailable('Formatting the data directory of Kafka', `${stdout}${stderr}`.trim().slice(-3000))
}
