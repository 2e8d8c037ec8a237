/**
 * Apache Kafka in containers of the image `apache/kafka`, on a network of their own. Each listener has the same
 * port inside and outside, so that an address means the same on both sides and stays the same after a restart.
 * Testcontainers removes the containers if this process vanishes.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContainerRuntimeClient, StartedNetwork, StartedTestContainer } from 'testcontainers'
import { systemClock } from '../system/clock.ts'
import { argumentId } from './argument-id.ts'
import { freePorts } from './free-ports.ts'
import { type Credentials, makeCredentials } from './key-store.ts'
import { ownKafka } from './own-kafka.ts'
import { waitUntilServing } from './readiness.ts'
import { type BrokerAddress, scramArguments, serverProperties } from './server-properties.ts'
import { defaultKafkaVersion, type LocalBroker, type LocalKafka, type LocalKafkaOptions } from './types.ts'
import { unavailable } from './unavailable.ts'

/** On each container of ours; its value is the client port. */
export const brokerLabel = 'login-stats.local-kafka'

const operation = 'Starting Apache Kafka in Docker'
const configDirectory = '/opt/kafka/config'
const dataDirectory = '/tmp/login-stats-kafka-data'
const keyStoreInContainer = `${configDirectory}/broker.p12`
const startTimeoutMs = 180_000
const stopTimeoutSeconds = 30

/** Loaded when it is needed: a development dependency, absent from the installed package. */
type Testcontainers = typeof import('testcontainers')

export async function startDockerCluster(options: LocalKafkaOptions): Promise<LocalKafka> {
  const { testcontainers, engine } = await findDocker()
  const version = options.version ?? defaultKafkaVersion
  options.onProgress?.(`Starting apache/kafka:${version} in Docker (the first time the image is fetched)`)
  const directory = await mkdtemp(join(tmpdir(), 'login-stats-kafka-'))
  const containers: StartedTestContainer[] = []
  const networks: StartedNetwork[] = []
  const close = async () => {
    // By force: a paused container does not stop by itself.
    const remove = (id: string) => engine.container.getById(id).remove({ force: true, v: true })
    await Promise.all(containers.map((container) => remove(container.getId())))
    // A container that failed to start may still hold the network; Testcontainers removes both later.
    await Promise.allSettled(networks.map((network) => network.stop()))
    await rm(directory, { recursive: true, force: true })
  }
  try {
    const addresses = await brokerAddresses(options.brokers ?? 1, engine.info.containerRuntime.host)
    const credentials = options.security === 'sasl_ssl' ? await credentialsFor(addresses, directory) : null
    const network = await new testcontainers.Network().start()
    networks.push(network)
    const clusterId = argumentId()
    const outcomes = await Promise.allSettled(
      addresses.map(async (address) => {
        const container = await containerFor(
          testcontainers,
          clusterId,
          address,
          addresses,
          credentials,
          options,
        )
        const running = await container.withNetwork(network).start()
        containers.push(running)
        return dockerBroker(engine, running.getId(), address)
      }),
    )
    const brokers = outcomes.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason
      return outcome.value
    })
    await Promise.all(addresses.map((address) => untilServing(address, addresses)))
    return ownKafka({ source: 'docker', addresses, brokers, saslSsl: credentials?.access ?? null, close })
  } catch (error) {
    await close()
    throw unavailable(operation, error instanceof Error ? error.message : String(error), undefined, error)
  }
}

async function findDocker(): Promise<{ testcontainers: Testcontainers; engine: ContainerRuntimeClient }> {
  try {
    const testcontainers = await import('testcontainers')
    return { testcontainers, engine: await testcontainers.getContainerRuntimeClient() }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw unavailable('Looking for Docker', `Its engine does not answer (${reason}).`, undefined, error)
  }
}

async function brokerAddresses(count: number, engineHost: string): Promise<BrokerAddress[]> {
  const ports = await freePorts(count * 3)
  const port = (index: number) => ports[index] ?? 0
  return Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    listenHost: '0.0.0.0',
    clientHost: engineHost === 'localhost' ? '127.0.0.1' : engineHost,
    internalHost: `kafka-${index + 1}`,
    clientPort: port(index * 3),
    internalPort: port(index * 3 + 1),
    controllerPort: port(index * 3 + 2),
  }))
}

function credentialsFor(addresses: readonly BrokerAddress[], directory: string): Promise<Credentials> {
  return makeCredentials('keytool', directory, addresses[0]?.clientHost ?? '127.0.0.1')
}

async function containerFor(
  { GenericContainer }: Testcontainers,
  clusterId: string,
  address: BrokerAddress,
  all: readonly BrokerAddress[],
  credentials: Credentials | null,
  { version = defaultKafkaVersion, jvm = 'quick-start', config = {} }: LocalKafkaOptions,
) {
  const saslSsl = credentials === null ? null : { ...credentials.settings, keyStorePath: keyStoreInContainer }
  const properties = serverProperties(address, all, { dataDirectory, saslSsl, config })
  const propertiesPath = `${configDirectory}/login-stats.properties`
  const scram =
    saslSsl === null
      ? ''
      : scramArguments(saslSsl)
          .map((argument) => `'${argument}'`)
          .join(' ')
  const contents = [{ content: properties, target: propertiesPath, mode: 0o644 }]
  const keyStore = credentials === null ? [] : [await readFile(credentials.settings.keyStorePath)]
  return new GenericContainer(`apache/kafka:${version}`)
    .withNetworkAliases(address.internalHost)
    .withLabels({ [brokerLabel]: String(address.clientPort) })
    .withEnvironment({ KAFKA_HEAP_OPTS: jvm === 'throughput' ? '-Xmx1g -Xms1g' : '-Xmx512m' })
    .withExposedPorts(
      { container: address.clientPort, host: address.clientPort },
      { container: address.internalPort, host: address.internalPort },
    )
    .withCopyContentToContainer([
      ...contents,
      ...keyStore.map((content) => ({ content, target: keyStoreInContainer, mode: 0o644 })),
    ])
    .withCommand([
      'sh',
      '-c',
      `/opt/kafka/bin/kafka-storage.sh format --ignore-formatted -t ${clusterId} -c ${propertiesPath} ${scram}` +
        ` && exec /opt/kafka/bin/kafka-server-start.sh ${propertiesPath}`,
    ])
    .withStartupTimeout(startTimeoutMs)
}

function dockerBroker(
  engine: ContainerRuntimeClient,
  containerId: string,
  address: BrokerAddress,
): LocalBroker {
  const container = engine.container.getById(containerId)
  const isRunning = async () => (await container.inspect()).State.Running
  return {
    id: address.id,
    address: `${address.clientHost}:${address.clientPort}`,
    async stop() {
      if (await isRunning()) await container.stop({ t: stopTimeoutSeconds })
    },
    async kill() {
      if (!(await isRunning())) return
      await container.kill()
      await container.wait()
    },
    async pause() {
      await container.pause()
    },
    async resume() {
      await container.unpause()
    },
    async start() {
      if (await isRunning()) return
      await container.start()
      await untilServing(address, [address])
    },
  }
}

async function untilServing(address: BrokerAddress, all: readonly BrokerAddress[]): Promise<void> {
  const deadline = systemClock.monotonic() + startTimeoutMs
  const ids = all.map(({ id }) => id)
  const goOn = () => systemClock.monotonic() < deadline
  if (await waitUntilServing(address.clientHost, address.internalPort, ids, goOn)) return
  throw unavailable(operation, `Broker ${address.id} did not serve within ${startTimeoutMs / 1000} s.`)
}
