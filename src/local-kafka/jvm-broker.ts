import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../system/clock.ts'
import { runCommand } from './command.ts'
import { waitUntilServing } from './readiness.ts'
import type { BrokerAddress } from './server-properties.ts'
import type { LocalBroker } from './types.ts'
import { unavailable } from './unavailable.ts'
import { startWatched, type WatchedProcess } from './watched-process.ts'

const startTimeoutMs = 90_000
const stopTimeoutMs = 30_000
const logTailLines = 30
const stopLooks = 50
const stopLookMs = 20

export interface JvmBrokerSettings {
  readonly address: BrokerAddress
  readonly java: string
  /** Flags and class path. */
  readonly javaArguments: readonly string[]
  readonly propertiesPath: string
  /** Of this broker: its log is in here. */
  readonly directory: string
  /** Of the cluster: removed if this process vanishes. */
  readonly clusterDirectory: string
}

/** A broker as a child process, on ports and data that stay the same from start to start. */
export class JvmBroker implements LocalBroker {
  readonly id: number
  readonly address: string
  readonly #settings: JvmBrokerSettings
  readonly #logPath: string
  #process: WatchedProcess | null = null

  constructor(settings: JvmBrokerSettings) {
    this.id = settings.address.id
    this.address = `${settings.address.clientHost}:${settings.address.clientPort}`
    this.#settings = settings
    this.#logPath = join(settings.directory, 'broker.log')
  }

  start(): Promise<void> {
    return this.startAmong([this.id])
  }

  /** Starts it; resolves when it serves and knows all these brokers to do so too. Where `signal` aborts first it is killed. */
  async startAmong(ids: readonly number[], signal?: AbortSignal): Promise<void> {
    if (this.#process?.running) return
    const started = await this.#spawn()
    this.#process = started
    const { internalHost, internalPort } = this.#settings.address
    const deadline = systemClock.monotonic() + startTimeoutMs
    const goOn = () => started.running && !signal?.aborted && systemClock.monotonic() < deadline
    if (await waitUntilServing(internalHost, internalPort, ids, goOn)) return
    if (signal?.aborted) await this.kill()
    signal?.throwIfAborted()
    const what = started.running
      ? `did not serve within ${startTimeoutMs / 1000} s`
      : `ended with exit code ${await started.ended}`
    await this.kill()
    throw unavailable(
      'Starting Apache Kafka',
      `Broker ${this.id} ${what}. The end of its log:\n${await this.#logTail()}\n`,
    )
  }

  async stop(): Promise<void> {
    const ending = this.#process
    if (!ending?.running) return
    ending.signal('SIGTERM')
    // A stopped process gets the signal when it goes on.
    ending.signal('SIGCONT')
    let cancel = () => {}
    const late = new Promise<void>((resolve) => {
      cancel = systemClock.setTimer(stopTimeoutMs, resolve)
    })
    ending.hold()
    await Promise.race([ending.ended, late])
    cancel()
    await this.kill()
  }

  async kill(): Promise<void> {
    const ending = this.#process
    if (!ending?.running) return
    ending.signal('SIGKILL')
    ending.hold()
    await ending.ended
  }

  async pause(): Promise<void> {
    const { pid } = this.#process ?? {}
    if (pid === undefined) return
    this.#process?.signal('SIGSTOP')
    // The signal has been sent; on a busy machine a thread may still answer a request before it stands.
    await untilStopped(pid)
  }

  async resume(): Promise<void> {
    this.#process?.signal('SIGCONT')
  }

  async #spawn(): Promise<WatchedProcess> {
    const { java, javaArguments, propertiesPath, clusterDirectory } = this.#settings
    const log = await open(this.#logPath, 'a')
    try {
      return await startWatched(java, [...javaArguments, 'kafka.Kafka', propertiesPath], {
        directory: clusterDirectory,
        output: log.fd,
      })
    } finally {
      await log.close()
    }
  }

  async #logTail(): Promise<string> {
    const log = await readFile(this.#logPath, 'utf8')
    return log.trimEnd().split('\n').slice(-logTailLines).join('\n')
  }
}

/** Resolves at the latest after a second; where `ps` is missing, at once. */
async function untilStopped(pid: number): Promise<void> {
  for (let look = 0; look < stopLooks; look++) {
    const { exitCode, stdout } = await runCommand('ps', ['-o', 'stat=', '-p', String(pid)])
    if (exitCode !== 0 || stdout.trimStart().startsWith('T')) return
    await systemClock.sleep(stopLookMs)
  }
}
