/**
 * Logins that come steadily, one in so many of which is a probe: it has a locale of its own, and so a row of its own, whose first
 * appearance says when that login was counted. Written by kafkajs's producer, without transactions, as a front end would.
 */
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { systemClock } from '../../src/system/clock.ts'

export interface LoadOptions {
  readonly bootstrapServers: string
  readonly topic: string
  /** To which the logins go in turn. */
  readonly partitions: readonly number[]
  /** Logins a second. */
  readonly rate: number
  /** One in so many. */
  readonly probeEvery: number
  /** Of all logins; one of the generator's where it is not said. */
  readonly deviceType?: string
}

const tickMs = 10
const localeOfOthers = 'RU'

export class LiveLoad {
  /** When each probe was sent, by its row's key, by the clock's `monotonic`. */
  readonly probes = new Map<string, number>()
  sent = 0
  /** How long each write took until it was acknowledged, in ms: where that is long, the machine had no time for the load itself. */
  readonly writeMs: number[] = []
  readonly #options: LoadOptions
  readonly #producer: Producer
  readonly #sends = new Set<Promise<unknown>>()
  #failure: unknown = null
  #isStopped = false
  #running: Promise<void> = Promise.resolve()

  private constructor(options: LoadOptions, producer: Producer) {
    this.#options = options
    this.#producer = producer
  }

  /** Connects, and ends the load after `use`, however that ends. */
  static async with<T>(options: LoadOptions, use: (load: LiveLoad) => Promise<T>): Promise<T> {
    const load = await LiveLoad.#connect(options)
    try {
      return await use(load)
    } finally {
      await load.#close()
    }
  }

  static async #connect(options: LoadOptions): Promise<LiveLoad> {
    const kafka = new Kafka({
      brokers: options.bootstrapServers.split(','),
      clientId: 'bench-load',
      logLevel: logLevel.ERROR,
    })
    const producer = kafka.producer({ allowAutoTopicCreation: false })
    await producer.connect()
    return new LiveLoad(options, producer)
  }

  begin(): void {
    this.#running = this.#run()
  }

  /** Sends one probe to every partition, now; resolves with the keys of their rows when they are written. */
  async probeAll(): Promise<string[]> {
    const keys: string[] = []
    for (const partition of this.#options.partitions) {
      const { value, key } = this.#login(true)
      keys.push(key)
      await this.#send(partition, [value])
    }
    return keys
  }

  /** Ends the steady load; resolves when all of it is written. */
  async pause(): Promise<void> {
    this.#isStopped = true
    await this.#running
    await Promise.all(this.#sends)
    this.#isStopped = false
    if (this.#failure !== null) throw this.#failure
  }

  async #close(): Promise<void> {
    this.#isStopped = true
    await this.#running
    await Promise.allSettled(this.#sends)
    await this.#producer.disconnect()
  }

  async #run(): Promise<void> {
    const { rate, partitions, probeEvery } = this.#options
    const startedAt = systemClock.monotonic()
    const before = this.sent
    for (let tick = 0; !this.#isStopped && this.#failure === null; tick++) {
      const due = Math.floor(((systemClock.monotonic() - startedAt) * rate) / 1000) - (this.sent - before)
      const values = Array.from({ length: due }, () => this.#login(this.sent % probeEvery === 0).value)
      if (values.length > 0) {
        const send = this.#send(partitions[tick % partitions.length] ?? 0, values).catch((error: unknown) => {
          this.#failure ??= error
        })
        this.#sends.add(send)
        void send.then(() => this.#sends.delete(send))
      }
      await systemClock.sleep(tickMs)
    }
  }

  #login(isProbe: boolean): { readonly value: string; readonly key: string } {
    const { deviceType = 'android' } = this.#options
    const number = this.sent++
    const locale = isProbe ? `probe${number}` : localeOfOthers
    const key = `locale:${locale}`
    if (isProbe) this.probes.set(key, systemClock.monotonic())
    const value =
      `{"user_id":"424cdd21-063a-43a7-b91b-7ca1a833afae","app_version":"2.3.${number % 4}","device_type":"${deviceType}",` +
      `"ip":"199.172.111.135","locale":"${locale}","device_id":"593-47-5928",` +
      `"timestamp":"${Math.floor(systemClock.now() / 1000)}"}`
    return { value, key }
  }

  async #send(partition: number, values: readonly string[]): Promise<void> {
    const messages = values.map((value) => ({ partition, value, timestamp: String(systemClock.now()) }))
    const startedAt = systemClock.monotonic()
    await this.#producer.send({ topic: this.#options.topic, messages })
    this.writeMs.push(systemClock.monotonic() - startedAt)
  }
}
