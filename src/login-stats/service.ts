/**
 * The processor with what stands around it. The processor comes first: a process that was killed shall count again before anything else. So
 * only the port is taken before it runs; what answers questions is loaded when the tasks run.
 */
import { hostname } from 'node:os'
import { coded } from '../errors.ts'
import type { Log } from '../ports/log.ts'
import { systemClock } from '../system/clock.ts'
import { closeInTime, closeParts } from './closing.ts'
import type { Config } from './config/index.ts'
import { HttpListener } from './http/http-listener.ts'
import { reachableHost, urlHost } from './http/url-host.ts'
import { openProcessor, type Processor, type ProcessorOptions } from './processor.ts'
import { whyNotReady } from './readiness.ts'
import type { Surroundings } from './surroundings.ts'

export interface Service {
  /** Resolves after `stop`; rejects with the CodedError that ended it. */
  run(): Promise<void>
  stop(): void
  /** The port of the HTTP server; null without one. */
  readonly httpPort: number | null
  /**
   * After `run` has ended. What stands around the processor is left alone where it does not close; throws why the processor could not be
   * closed in order, STALLED where that takes too long.
   */
  close(): Promise<void>
}

/** The surroundings wait no longer for tasks that do not come to run. */
const surroundingsWithinMs = 3000
const lookEveryMs = 50

/** Listens, and opens the processor. Throws HTTP_PORT_IN_USE, STATE_DIR_UNUSABLE, CONFIG_INVALID, KAFKAJS_CHANGED. */
export async function openService(options: ProcessorOptions, log: Log): Promise<Service> {
  const { config } = options
  const listener = await listen(config, log)
  try {
    const endpoint = listener === null ? {} : { endpoint: endpointOf(config, listener.port) }
    const processor = await openProcessor({ ...options, ...endpoint }, log)
    return new RunningService(config, log, processor, listener)
  } catch (error) {
    await listener?.close()
    throw error
  }
}

async function listen({ httpHost, httpPort, sources }: Config, log: Log): Promise<HttpListener | null> {
  if (httpPort === null) return null
  const mustHavePort = sources.httpPort.from !== 'default'
  return await HttpListener.open({ host: httpHost, port: httpPort, mustHavePort, log })
}

function endpointOf({ httpAdvertisedUrl, httpHost }: Config, port: number): string {
  if (httpAdvertisedUrl !== null) return httpAdvertisedUrl
  return `http://${urlHost(reachableHost(httpHost, hostname()))}:${port}`
}

class RunningService implements Service {
  readonly #config: Config
  readonly #log: Log
  readonly #processor: Processor
  readonly #listener: HttpListener | null
  #surroundings: Promise<Surroundings | null> = Promise.resolve(null)
  #isStopping = false

  constructor(config: Config, log: Log, processor: Processor, listener: HttpListener | null) {
    this.#config = config
    this.#log = log
    this.#processor = processor
    this.#listener = listener
  }

  get httpPort(): number | null {
    return this.#listener?.port ?? null
  }

  async run(): Promise<void> {
    const isWanted = this.#listener !== null || this.#config.insightsTopic !== null
    if (isWanted) this.#surroundings = this.#open()
    await this.#processor.run()
  }

  stop(): void {
    this.#isStopping = true
    this.#processor.stop()
  }

  async close(): Promise<void> {
    this.#isStopping = true
    const listener = this.#listener
    const parts = (await this.#surroundings)?.parts() ?? []
    // Last, for it ends the connections that do not end by themselves.
    if (listener !== null) parts.push({ name: 'the HTTP connections', close: () => listener.close() })
    await closeParts(parts, systemClock, this.#log)
    await closeInTime({ name: 'the processor', close: () => this.#processor.close() }, systemClock)
  }

  /** Null where they could not be opened: the counts do not depend on them. */
  async #open(): Promise<Surroundings | null> {
    const deadline = systemClock.monotonic() + surroundingsWithinMs
    while (!this.#isStopping && systemClock.monotonic() < deadline) {
      if (whyNotReady(this.#processor).length === 0) break
      await systemClock.sleep(lookEveryMs)
    }
    if (this.#isStopping) return null
    try {
      const { Surroundings } = await import('./surroundings.ts')
      return await Surroundings.open(this.#config, this.#log, this.#processor, this.#listener)
    } catch (cause) {
      const error = coded(cause, 'open the HTTP server')
      this.#log.error({ error }, 'HTTP server, metrics and insights are missing; the processor goes on')
      return null
    }
  }
}
