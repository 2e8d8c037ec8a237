/** The place of one processor on a machine: whether it runs, and how it is started, killed and started again. */
import { coded } from '../../src/errors.ts'
import { createKafkaClient } from '../../src/kafka/client.ts'
import type { Log } from '../../src/ports/log.ts'
import {
  type EngineObserver,
  SlotStores,
  StateDirectory,
  Streams,
  type StreamsOptions,
  type Topology,
  type TransactionScope,
} from '../../src/streams/index.ts'
import type { EventQueue } from './event-queue.ts'
import type { Machine } from './machine.ts'
import type { Plan } from './plan.ts'
import type { SeededRandom } from './random.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { type Network, SimulatedWire } from './simulated-wire.ts'

export const stateDir = '/state'

export interface InstanceParts {
  readonly queue: EventQueue
  readonly random: SeededRandom
  readonly network: Network
  readonly plan: Plan
  readonly appId: string
  readonly topology: Topology
  readonly fingerprint: Readonly<Record<string, string>>
  readonly maxStreamTimeLeadMs: number
  readonly log: Log
  /** A process has ended by itself: with the code of its error, or null. */
  onExit(instance: Instance, code: string | null, message: string): void
  observer(process: SimulatedProcess): EngineObserver
}

export class Instance {
  readonly name: string
  readonly machine: Machine
  process: SimulatedProcess | null = null
  streams: Streams | null = null
  /** Whether its disk has been full since the process started. */
  wasFull = false
  /** Of the life that goes on. */
  transactionScope: TransactionScope = 'task'
  #starts = 0
  readonly #parts: InstanceParts

  constructor(name: string, machine: Machine, parts: InstanceParts) {
    this.name = name
    this.machine = machine
    this.#parts = parts
  }

  get isUp(): boolean {
    return this.process !== null
  }

  start(): void {
    const process = new SimulatedProcess(
      `${this.name}.${this.#starts++}`,
      this.#parts.queue,
      () => this.machine.skewMs,
    )
    this.process = process
    const { transactionScopes } = this.#parts.plan
    this.transactionScope = transactionScopes[this.#starts % transactionScopes.length] ?? 'task'
    this.wasFull = this.machine.disk.isFull
    this.#parts.network.note('start', process.name)
    this.#run(process).then(
      () => this.#ended(process, null, ''),
      (error: unknown) => {
        const failure = coded(error, 'run')
        this.#ended(
          process,
          failure.code,
          `${failure.message}${failure.code === 'INTERNAL' ? `\n${failure.stack}\n${stackOf(failure.cause)}` : ''}`,
        )
      },
    )
  }

  /** kill -9. */
  kill(): void {
    if (this.process === null) return
    this.#parts.network.note('kill', this.process.name)
    this.process.kill()
    this.process = null
    this.streams = null
  }

  #ended(process: SimulatedProcess, code: string | null, message: string): void {
    this.#parts.network.note('exit', process.name, code ?? '')
    process.kill()
    if (this.process !== process) return
    this.process = null
    this.streams = null
    this.#parts.onExit(this, code, message)
  }

  async #run(process: SimulatedProcess): Promise<void> {
    const { random, network, plan, appId, log } = this.#parts
    const { disk, bootId } = this.machine
    const { clock } = process
    const databases = disk.openerFor(process)
    const files = disk.filesFor(process)
    const slot = await StateDirectory.claim({ stateDir, appId, opener: databases, files, random })
    const wire = new SimulatedWire(network, process)
    const processLog = log.child({ process: process.name })
    const kafka = createKafkaClient({ wire, clock, random, log: processLog, compression: 'none' })
    try {
      const streams = new Streams({
        ...this.#options(plan),
        kafka,
        clock,
        log: processLog,
        databases,
        localState: new SlotStores(slot.member(0), files),
        bootId,
        observer: this.#parts.observer(process),
      })
      this.streams = streams
      await streams.run()
    } finally {
      if (this.process === process) this.streams = null
      await kafka.close()
      await slot.release()
    }
  }

  #options(
    plan: Plan,
  ): Omit<StreamsOptions, 'kafka' | 'clock' | 'log' | 'databases' | 'localState' | 'bootId'> {
    const { topology, fingerprint, maxStreamTimeLeadMs } = this.#parts
    return {
      topology,
      fingerprint,
      topics: { replicationFactor: -1, minInsyncReplicas: null, keyedPartitions: plan.statsPartitions },
      tasks: {
        commitIntervalMs: plan.commitIntervalMs,
        transactionTimeoutMs: plan.transactionTimeoutMs,
        transactionScope: this.transactionScope,
        maxStreamTimeLeadMs,
        streamTimeFollowsWallClock: plan.followsWallClock,
        maxUncommittedBytes: plan.maxUncommittedBytes,
        offsetLost: 'stop',
      },
      sessionTimeoutMs: plan.sessionTimeoutMs,
      leaveGroupOnStop: plan.leavesGroup,
      standbyReplicas: plan.standbyReplicas,
      acceptableLag: plan.acceptableLag,
      maxStallMs: 300_000,
      purgeIntervalMs: plan.purgeIntervalMs,
    }
  }
}

function stackOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? '') : ''
}
