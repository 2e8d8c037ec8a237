/**
 * One run of one system: makes its topics, starts it, watches its table, and takes everything away again. Nothing of it is there
 * afterwards, whatever happened.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../src/system/clock.ts'
import type { KafkaReader } from '../../src/verify/index.ts'
import { type Usage, UsageSampler } from '../measure/process-usage.ts'
import { VisibleTable } from '../measure/visible-table.ts'
import type { Session } from '../session.ts'
import type { Job, Launched, System } from '../systems/index.ts'

export interface RunOptions {
  readonly inputTopic: string
  readonly partitions: number
  readonly logins: number
  readonly dimensions: readonly string[]
  readonly rollingWindows: string | null
  readonly threads: number | null
  readonly enriched: boolean
  /** Time between two looks at the table's offsets. */
  readonly pollMs: number
}

/** The job of the first row, at every system's defaults. */
export function countsOf(
  own: Pick<RunOptions, 'inputTopic' | 'partitions' | 'logins' | 'pollMs'>,
): RunOptions {
  const dimensions = ['locale', 'device_type', 'app_version']
  return { ...own, dimensions, rollingWindows: null, threads: null, enriched: false }
}

/** Beyond this something is wrong, whatever the machine. */
const baseTimeoutMs = 180_000
const slowestLoginsPerMs = 5

export class SystemRun {
  readonly table: VisibleTable | null
  readonly reader: KafkaReader
  readonly #session: Session
  readonly #system: System
  readonly #options: RunOptions
  readonly #appId: string
  readonly #directory: string
  readonly #launched: Launched[] = []
  readonly #usage: UsageSampler

  private constructor(
    session: Session,
    system: System,
    options: RunOptions,
    parts: { readonly appId: string; readonly reader: KafkaReader },
  ) {
    const { appId, reader } = parts
    this.reader = reader
    this.#session = session
    this.#system = system
    this.#options = options
    this.#appId = appId
    this.#directory = join(session.directory, appId)
    this.#usage = new UsageSampler(() =>
      this.#launched.filter(({ isRunning }) => isRunning).map(({ pid }) => pid),
    )
    const { readRow } = system
    this.table =
      readRow === null
        ? null
        : new VisibleTable({
            kafka: session.kafka,
            reader,
            topic: this.outputTopic,
            partitions: options.partitions,
            readRow,
            pollMs: options.pollMs,
          })
  }

  static async #prepare(session: Session, system: System, options: RunOptions): Promise<SystemRun> {
    const appId = session.newName(system.name)
    if (system.readRow !== null) {
      const compacted = { 'cleanup.policy': 'compact' }
      const shape = { partitionCount: options.partitions, replicationFactor: -1 }
      await session.kafka.admin.createTopics([
        { name: `${appId}-table`, ...shape, config: compacted },
        ...(options.enriched ? [{ name: `${appId}-enriched`, ...shape, config: {} }] : []),
      ])
    }
    return new SystemRun(session, system, options, { appId, reader: await session.openReader() })
  }

  /** Prepares a run, and ends it after `use`, however that ends. */
  static async with<T>(
    session: Session,
    system: System,
    options: RunOptions,
    use: (run: SystemRun) => Promise<T>,
  ): Promise<T> {
    const run = await SystemRun.#prepare(session, system, options)
    try {
      return await use(run)
    } finally {
      await run.#end()
    }
  }

  /** Of what it reads its input with. */
  get groupId(): string {
    return this.#appId
  }

  get outputTopic(): string {
    return `${this.#appId}-table`
  }

  get enrichedTopic(): string | null {
    return this.#options.enriched ? `${this.#appId}-enriched` : null
  }

  get timeoutMs(): number {
    return baseTimeoutMs + this.#options.logins / slowestLoginsPerMs
  }

  /** Starts the instance of this number, or starts it again. */
  async launch(instance = 0): Promise<Launched> {
    const directory = this.#stateDirectory(instance)
    await mkdir(directory, { recursive: true })
    const job: Job = {
      bootstrapServers: this.#session.broker.bootstrapServers,
      inputTopic: this.#options.inputTopic,
      outputTopic: this.outputTopic,
      enrichedTopic: this.enrichedTopic,
      appId: this.#appId,
      dimensions: this.#options.dimensions,
      rollingWindows: this.#options.rollingWindows,
      threads: this.#options.threads,
      directory,
      instanceId: `instance-${instance}`,
      logins: this.#options.logins,
    }
    const launched = await this.#system.launch(job)
    this.#launched.push(launched)
    return launched
  }

  async deleteState(instance = 0): Promise<void> {
    await rm(this.#stateDirectory(instance), { recursive: true, force: true })
  }

  /** Rejects when any process ends that should not. */
  get failed(): Promise<never> {
    return Promise.race(this.#launched.map(({ failed }) => failed))
  }

  /** The table of a system that has one. */
  get visible(): VisibleTable {
    if (this.table === null) throw new Error(`${this.#system.title} has no table.`)
    return this.table
  }

  /** Resolves when the table has counted so many logins in each dimension. */
  async complete(logins: number): Promise<void> {
    const { dimensions } = this.#options
    await this.visible.until((contents) => contents.isComplete(dimensions, logins), this.limits())
  }

  /** For `VisibleTable.until`. */
  limits(): { readonly timeoutMs: number; readonly ended: Promise<never> } {
    return { timeoutMs: this.timeoutMs, ended: this.failed }
  }

  /** When any row could first be seen. */
  firstRow(): Promise<number> {
    return this.eventually(() => this.visible.timeline.firstAt(), {
      everyMs: 5,
      failure: 'No row was visible in time.',
    })
  }

  /** Asks until there is an answer; rejects in time, or when a process ends that should not. */
  async eventually<T>(
    ask: () => T | null | Promise<T | null>,
    { everyMs, failure }: { readonly everyMs: number; readonly failure: string },
  ): Promise<T> {
    const deadline = systemClock.monotonic() + this.timeoutMs
    let ended: unknown = null
    this.failed.catch((error: unknown) => {
      ended = error
    })
    for (;;) {
      const answer = await ask()
      if (answer !== null) return answer
      if (ended !== null) throw ended
      if (systemClock.monotonic() > deadline) throw new Error(failure)
      await systemClock.sleep(everyMs)
    }
  }

  /** To be called while the processes still run. */
  usage(): Usage {
    return this.#usage.stop()
  }

  /** Stops what runs, and deletes topics and directories. */
  async #end(): Promise<void> {
    this.#usage.stop()
    await Promise.all(this.#launched.filter(({ isRunning }) => isRunning).map((launched) => launched.stop()))
    await this.table?.close()
    await this.reader.close()
    await rm(this.#directory, { recursive: true, force: true })
    const { admin } = this.#session.kafka
    const suffixes = ['table', 'enriched', 'dlq', 'counts-repartition', 'counts-changelog']
    const existing = await admin.topics(suffixes.map((suffix) => `${this.#appId}-${suffix}`))
    if (existing.size > 0) await admin.deleteTopics([...existing.keys()])
  }

  /** Ours may share one directory, in which each takes a slot; the peers may not. */
  #stateDirectory(instance: number): string {
    return join(this.#directory, `instance-${instance}`)
  }
}
