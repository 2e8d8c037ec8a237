import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { freePorts } from '../../../src/local-kafka/free-ports.ts'
import type { Xoshiro128 } from '../../../src/login-stats/generator/xoshiro128.ts'
import { systemClock } from '../../../src/system/clock.ts'
import type { FatePlan } from './fate.ts'
import { endTxnErrorCode, type Frame, withProxiedPorts } from './frames.ts'
import { ProxiedConnection } from './proxied-connection.ts'

/** In front of one broker. */
interface Route {
  readonly host: string
  readonly port: number
  readonly proxiedPort: number
  server: Server
}

/**
 * A TCP proxy in front of each broker, which knows Kafka's frames, and what shall become of them. Who connects to
 * `bootstrapServers` stays behind the proxies, because the answers that name brokers name the proxies.
 */
export class KafkaProxy {
  readonly plan: FatePlan
  /** What the broker has answered to each EndTxn that came late: an error code, 0 where it took effect. */
  readonly lateAnswers: { readonly afterMs: number; readonly errorCode: number }[] = []
  readonly #random: Xoshiro128
  readonly #routes: Route[] = []
  readonly #proxiedPorts = new Map<string, number>()
  readonly #connections = new Set<ProxiedConnection>()
  readonly #cancels = new Set<() => void>()
  #refusals = 0
  #isClosed = false

  private constructor(plan: FatePlan, random: Xoshiro128) {
    this.plan = plan
    this.#random = random
  }

  /** `brokers`: as the brokers advertise themselves, host:port, separated by commas; on this machine. */
  static async start(brokers: string, plan: FatePlan, random: Xoshiro128): Promise<KafkaProxy> {
    const proxy = new KafkaProxy(plan, random)
    const addresses = brokers.split(',')
    const ports = await freePorts(addresses.length)
    for (const [index, address] of addresses.entries()) {
      const colon = address.lastIndexOf(':')
      const proxiedPort = ports[index] ?? 0
      proxy.#proxiedPorts.set(address, proxiedPort)
      const route: Route = {
        host: address.slice(0, colon),
        port: Number(address.slice(colon + 1)),
        proxiedPort,
        server: createServer(),
      }
      proxy.#routes.push(route)
      await proxy.#listen(route)
    }
    return proxy
  }

  get bootstrapServers(): string {
    return this.#routes.map(({ host, proxiedPort }) => `${host}:${proxiedPort}`).join(',')
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** One of the open connections, busy or idle; null where there is none. */
  anyConnection(): ProxiedConnection | null {
    return [...this.#connections][this.#random.below(this.#connections.size)] ?? null
  }

  resetAll(): void {
    for (const connection of [...this.#connections]) connection.reset()
  }

  /** Resets all connections, and refuses new ones for so long. */
  async refuse(forMs: number): Promise<void> {
    this.#refusals++
    for (const { server } of this.#routes) server.close()
    this.resetAll()
    await systemClock.sleep(forMs)
    this.#refusals--
    if (this.#refusals > 0 || this.#isClosed) return
    for (const route of this.#routes) await this.#listen(route)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const { server } of this.#routes) server.close()
    for (const cancel of this.#cancels) cancel()
    this.resetAll()
  }

  async #listen(route: Route): Promise<void> {
    route.server = createServer((client) => {
      const broker = connect(route.port, route.host)
      const connection = new ProxiedConnection(client, broker, {
        random: this.#random,
        fateOf: (frame) => this.plan.fateOf(frame),
        rewrite: (frame) => withProxiedPorts(frame, this.#proxiedPorts),
        deliverLate: (frame, afterMs) => this.#deliverLate(route, frame, afterMs),
        onEnd: (ended) => this.#connections.delete(ended),
      })
      this.#connections.add(connection)
    })
    route.server.listen(route.proxiedPort, route.host)
    await once(route.server, 'listening')
  }

  /** On a connection of its own: that of the sender may be gone by then. */
  #deliverLate(route: Route, frame: Frame, afterMs: number): void {
    const cancel = systemClock.setTimer(afterMs, () => {
      this.#cancels.delete(cancel)
      const broker = connect(route.port, route.host, () => broker.write(frame.bytes))
      const giveUp = (): void => {
        broker.destroy()
      }
      this.#cancels.add(giveUp)
      broker.on('error', giveUp)
      broker.on('close', () => this.#cancels.delete(giveUp))
      broker.once('data', (bytes) => {
        if (frame.api === 'EndTxn')
          this.lateAnswers.push({ afterMs, errorCode: endTxnErrorCode(bytes as Buffer) })
        broker.end()
      })
    })
    this.#cancels.add(cancel)
  }
}
