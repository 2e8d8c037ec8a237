/** A process of a system: it ends with this process at the latest. Its lines of JSON are kept, and the end of all it says. */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { startWatched, type WatchedProcess } from '../../src/local-kafka/watched-process.ts'
import { systemClock } from '../../src/system/clock.ts'

/** A line of the log; `time` in ms since the epoch where the system says it. */
export interface LogLine {
  readonly msg: string
  readonly time?: number
  readonly [field: string]: unknown
}

const tailLines = 40
const stopTimeoutMs = 20_000
/** JSON lines that are kept; a system that says more than that is not supposed to be measured. */
const mostLines = 100_000

export class Launched {
  /** By the clock's `monotonic`. */
  readonly startedAt: number
  readonly pid: number
  readonly lines: LogLine[] = []
  readonly #name: string
  readonly #process: WatchedProcess
  readonly #tail: string[] = []
  readonly #watchers = new Set<(line: LogLine) => void>()
  #isWanted = true
  /** Rejects when the process ends without being told to. */
  readonly failed: Promise<never>

  private constructor(name: string, startedAt: number, process: WatchedProcess) {
    this.#name = name
    this.startedAt = startedAt
    this.#process = process
    this.pid = process.pid
    for (const stream of [process.stdout, process.stderr]) if (stream !== null) this.#follow(stream)
    this.failed = this.#watch()
    this.failed.catch(() => undefined)
  }

  /** The environment is the given one and PATH, nothing else: what the user has set is not for the systems. */
  static async start(
    name: string,
    command: string,
    parameters: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<Launched> {
    const variables = Object.entries({ PATH: process.env.PATH ?? '', ...environment })
    const settings = variables.map(([variable, value]) => `${variable}=${value}`)
    const startedAt = systemClock.monotonic()
    const started = await startWatched('/usr/bin/env', ['-i', ...settings, command, ...parameters], {
      output: 'pipe',
    })
    return new Launched(name, startedAt, started)
  }

  get isRunning(): boolean {
    return this.#process.running
  }

  /** The first line with this message, said already or later; with the time of its arrival. */
  line(message: string): Promise<{ readonly line: LogLine; readonly arrivedAt: number }> {
    const said = this.lines.find(({ msg }) => msg === message)
    if (said !== undefined) return Promise.resolve({ line: said, arrivedAt: systemClock.monotonic() })
    const arrival = new Promise<{ readonly line: LogLine; readonly arrivedAt: number }>((resolve) => {
      const watcher = (line: LogLine) => {
        if (line.msg !== message) return
        this.#watchers.delete(watcher)
        resolve({ line, arrivedAt: systemClock.monotonic() })
      }
      this.#watchers.add(watcher)
    })
    return Promise.race([arrival, this.failed])
  }

  /** Ends it in order; at once, if that takes too long. */
  async stop(): Promise<void> {
    this.#isWanted = false
    this.#process.signal('SIGTERM')
    const cancel = systemClock.setTimer(stopTimeoutMs, () => this.#process.signal('SIGKILL'))
    this.#process.hold()
    await this.#process.ended
    cancel()
  }

  async kill(): Promise<void> {
    this.#isWanted = false
    this.#process.signal('SIGKILL')
    this.#process.hold()
    await this.#process.ended
  }

  /** The last it said. */
  get tail(): string {
    return this.#tail.join('\n')
  }

  async #watch(): Promise<never> {
    const code = await this.#process.ended
    // What is still in the pipes tells why.
    await systemClock.sleep(100)
    if (this.#isWanted) throw new Error(`${this.#name} ended with exit code ${code}:\n${this.tail}`)
    return await new Promise<never>(() => undefined)
  }

  #follow(stream: Readable): void {
    createInterface({ input: stream }).on('line', (line) => this.#read(line))
  }

  #read(text: string): void {
    this.#tail.push(text.slice(0, 2000))
    if (this.#tail.length > tailLines) this.#tail.shift()
    const line = parseLine(text)
    if (line === null || this.lines.length >= mostLines) return
    this.lines.push(line)
    for (const watcher of this.#watchers) watcher(line)
  }
}

function parseLine(text: string): LogLine | null {
  if (!text.startsWith('{')) return null
  try {
    const line: unknown = JSON.parse(text)
    return typeof line === 'object' && line !== null && 'msg' in line ? (line as LogLine) : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
