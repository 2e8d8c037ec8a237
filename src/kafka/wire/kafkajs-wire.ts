/**
 * The wire on kafkajs.
 *
 *   - Each target and lane has one connection at a time, made when it is first needed.
 *   - Addresses are learned from every Metadata and FindCoordinator answer that passes; for a node without one, the wire asks
 *     a bootstrap broker itself. An address at which nobody answers is forgotten.
 *   - 'bootstrap' is the next of the bootstrap servers, and after them any broker whose address is known.
 */
import type { ConnectionOptions } from 'node:tls'
import type { SASLOptions } from 'kafkajs'
import { CodedError, coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { assertPinnedKafkajs } from '../self-test.ts'
import { type BrokerAddress, BrokerConnection } from './broker-connection.ts'
import { codecs } from './codecs/codecs.ts'
import { kafkajsLog } from './kafkajs-log.ts'
import { Lane } from './lane.ts'
import type { ApiName, Apis, SendOptions, Target, Wire } from './wire.ts'

export interface KafkajsWireOptions {
  /** `host:port` each; an IPv6 address stands in brackets. */
  readonly bootstrapServers: readonly string[]
  readonly clientId: string
  readonly ssl?: ConnectionOptions | boolean
  readonly sasl?: SASLOptions
  readonly log: Log
  readonly clock: Clock
  /** How long TCP, TLS and authentication may take together. Default 5000. */
  readonly connectionTimeoutMs?: number
}

/**
 * A wire that connects when it is first used. Throws KAFKAJS_CHANGED if the installed kafkajs is not the pinned one, and
 * CONFIG_INVALID for a bootstrap server that is not `host:port`.
 */
export function createKafkajsWire(options: KafkajsWireOptions): Wire {
  assertPinnedKafkajs()
  return new KafkajsWire(options)
}

class KafkajsWire implements Wire {
  private readonly bootstrapServers: readonly BrokerAddress[]
  private readonly clock: Clock
  private readonly connectionOptions: Omit<
    ConstructorParameters<typeof BrokerConnection>[0],
    'address' | 'onLost'
  >
  private readonly addresses = new Map<number, BrokerAddress>()
  private readonly lanes = new Map<string, Lane>()
  private readonly connections = new Set<BrokerConnection>()
  private nextBootstrap = 0
  private learning: Promise<void> | null = null
  private isClosed = false

  constructor(options: KafkajsWireOptions) {
    const { clock, clientId, log } = options
    this.bootstrapServers = options.bootstrapServers.map(parseServer)
    this.clock = clock
    this.connectionOptions = {
      clientId,
      clock,
      // kafkajs keeps what it makes of them in the SASL options, so it gets its own.
      sasl: options.sasl === undefined ? null : { ...options.sasl },
      ssl: options.ssl === undefined || options.ssl === false ? null : tlsOptions(options.ssl),
      connectionTimeoutMs: options.connectionTimeoutMs ?? 5000,
      logger: kafkajsLog(log),
    }
  }

  async send<A extends ApiName>(
    target: Target,
    api: A,
    request: Apis[A]['request'],
    options: SendOptions,
  ): Promise<Apis[A]['answer']> {
    if (this.isClosed) throw closedError(api)
    const answer = await this.lane(target, options.lane).send(api, codecs[api], request, options.timeoutMs)
    this.learn(answer)
    return answer
  }

  async close(): Promise<void> {
    this.isClosed = true
    for (const connection of this.connections) connection.lose({ detail: 'The client was closed.' })
  }

  private lane(target: Target, name: string): Lane {
    const key = `${target}/${name}`
    let lane = this.lanes.get(key)
    if (lane === undefined) {
      const connect = (): Promise<BrokerConnection> =>
        target === 'bootstrap' ? this.connectToAny() : this.connectToNode(target)
      lane = new Lane({ clock: this.clock, connect })
      this.lanes.set(key, lane)
    }
    return lane
  }

  private async connectToAny(): Promise<BrokerConnection> {
    const servers = this.bootstrapServers
    const first = this.nextBootstrap++
    const rotated = servers.flatMap((_, index) => servers[(first + index) % servers.length] ?? [])
    let failure: CodedError | null = null
    for (const address of [...rotated, ...this.addresses.values()]) {
      try {
        return await this.connect(address)
      } catch (error) {
        failure = coded(error, 'connecting')
        if (failure.behaviour !== 'retry') throw failure
      }
    }
    throw failure ?? new CodedError('CONFIG_INVALID', { operation: 'connecting', detail: 'No servers.' })
  }

  private async connectToNode(nodeId: number): Promise<BrokerConnection> {
    if (!this.addresses.has(nodeId)) await this.learnAddresses()
    const address = this.addresses.get(nodeId)
    if (address === undefined) {
      const detail = `The cluster has no broker ${nodeId} at the moment.`
      throw new CodedError('KAFKA_UNREACHABLE', { operation: 'looking up a broker', detail })
    }
    try {
      return await this.connect(address)
    } catch (error) {
      if (this.addresses.get(nodeId) === address) this.addresses.delete(nodeId)
      throw error
    }
  }

  private async connect(address: BrokerAddress): Promise<BrokerConnection> {
    if (this.isClosed) throw closedError('connecting')
    const connection = new BrokerConnection({
      ...this.connectionOptions,
      address,
      onLost: (lost) => this.connections.delete(lost),
    })
    this.connections.add(connection)
    await connection.open()
    return connection
  }

  /** One Metadata request for all that ask at the same time. */
  private learnAddresses(): Promise<void> {
    this.learning ??= this.askForAddresses().finally(() => {
      this.learning = null
    })
    return this.learning
  }

  private async askForAddresses(): Promise<void> {
    const timeoutMs = this.connectionOptions.connectionTimeoutMs
    await this.send('bootstrap', 'Metadata', { topics: [] }, { lane: 'addresses', timeoutMs })
  }

  private learn(answer: Apis[ApiName]['answer']): void {
    const brokers = 'brokers' in answer ? answer.brokers : 'nodeId' in answer ? [answer] : []
    for (const { nodeId, host, port } of brokers) {
      const known = this.addresses.get(nodeId)
      // An error in place of a coordinator comes with no host.
      if (host !== '' && (known?.host !== host || known.port !== port))
        this.addresses.set(nodeId, { host, port })
    }
  }
}

function tlsOptions(ssl: ConnectionOptions | true): ConnectionOptions {
  return ssl === true ? {} : ssl
}

function parseServer(server: string): BrokerAddress {
  const { host, port } = /^\[?(?<host>[^\]]+?)\]?:(?<port>\d+)$/.exec(server)?.groups ?? {}
  if (host === undefined || port === undefined)
    throw new CodedError('CONFIG_INVALID', {
      operation: 'reading the bootstrap servers',
      detail: `"${server}" is not host:port.`,
    })
  return { host, port: Number(port) }
}

function closedError(operation: string): CodedError {
  return new CodedError('KAFKA_UNREACHABLE', { operation, detail: 'The client was closed.' })
}
