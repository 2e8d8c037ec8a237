/**
 * One run of the application under simulated faults. The seed decides everything.
 *
 *   1. Safety: input is written, faults happen.
 *   2. Liveness: no faults any more, everything runs. All input must be counted within bounded time.
 *   3. The oracle: exactly the committed input is counted, published and rejected; the stores hold what the changelogs hold.
 */

import { coded } from '../../src/errors.ts'
import { parseDimensions } from '../../src/login-stats/domain/dimensions.ts'
import { parseWindows } from '../../src/login-stats/domain/windows.ts'
import { loginStatsTopology } from '../../src/login-stats/topology.ts'
import type { Log } from '../../src/ports/log.ts'
import type { EngineObserver, Streams, TaskStatus } from '../../src/streams/index.ts'
import { SimulatedBroker } from './broker/simulated-broker.ts'
import { EventQueue } from './event-queue.ts'
import { Faults } from './faults.ts'
import { ForeignTransactions } from './foreign-transactions.ts'
import { InputWriter } from './input-writer.ts'
import { Instance, type InstanceParts } from './instance.ts'
import { Machine } from './machine.ts'
import { committedOffset, foldBytes, judge, type OracleOptions, unfinished, type Verdict } from './oracle.ts'
import { drawPlan, type Plan } from './plan.ts'
import { wrongCommits } from './provenance.ts'
import { SeededRandom } from './random.ts'
import { RunRecord } from './run-record.ts'
import { silentLog } from './silent-log.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { calm, type Network } from './simulated-wire.ts'
import { storeDifference } from './store-check.ts'
import { TakeOverCheck } from './take-over-check.ts'

export interface SimulationOptions {
  readonly seed: number
  readonly faults?: boolean
  /** Names of faults, as in the plan, that shall not happen. The rest of the run differs from then on. */
  readonly without?: readonly string[]
  readonly log?: Log
  /** Told the plan before anything runs, and what happens. */
  readonly onPlan?: (plan: Plan) => void
  readonly onNote?: (atMs: number, line: string) => void
}

export interface Outcome {
  readonly seed: number
  /** What went wrong, or null. */
  readonly failure: string | null
  /** Over all that happened, and all that is in the logs at the end. */
  readonly hash: string
  readonly events: number
  readonly simulatedMs: number
  /** From the end of the faults until everything was counted. */
  readonly catchUpMs: number
  readonly valid: number
  readonly invalid: number
  /** How often each kind of thing happened. */
  readonly counts: Readonly<Record<string, number>>
}

const appId = 'sim'
const topics = { input: 'logins', output: 'table', dlq: 'dead-letters', enriched: 'enriched' }
const maxClockSkewMs = 300_000
/** A dead member is waited for, a transaction times out, a join goes round: each at most once or twice. */
const catchUpLimitMs = 120_000
/** Where markers take about as long as any call may last, two commits of three fail. */
const catchUpLimitOfSlowMarkersMs = 300_000
const latestStartMs = 300
const lookEveryMs = 100
const wrongLimitMs = 15_000
/** For the processes to start that have ended at the end of the faults, and to stop in the end. */
const settleLimitMs = 120_000

/** Codes with which a process may end where its disk was full; it is then started again. */
const diskExits: readonly string[] = ['STORE_WRITE_FAILED', 'STATE_DIR_UNUSABLE']
/** The code with which a process may end that has met its clone too often. */
const cloneExit = 'MEMBER_FENCED'
/** The code with which every process must end that is to read what has been deleted. */
const lossExit = 'OFFSET_OUT_OF_RANGE'

/** What a seed decides before anything runs. */
export function planOf({ seed, faults = true, without = [] }: SimulationOptions): Plan {
  return drawPlan(new SeededRandom(seed).fork(), { faults, without })
}

export function simulate(options: SimulationOptions): Promise<Outcome> {
  return new Simulation(options).run()
}

class Simulation {
  readonly #options: SimulationOptions
  readonly #plan: Plan
  readonly #queue = new EventQueue()
  readonly #random: SeededRandom
  readonly #broker: SimulatedBroker
  readonly #machines: Machine[]
  readonly #instances: Instance[]
  /** Those that were started with a copy of the state of others. */
  readonly #clones: Instance[] = []
  readonly #cloned = new Set<Machine>()
  readonly #faults: Faults
  readonly #writer: InputWriter
  readonly #oracle: OracleOptions
  readonly #takeOvers: TakeOverCheck
  readonly #record: RunRecord
  readonly #failedAtTheEnd = new Set<Instance>()
  /** Stores that have been emptied, by instance and task, until they are restored. */
  readonly #emptied = new Set<string>()
  /** The last step that a commit of it got to, by instance and task. */
  readonly #lastSteps = new Map<string, number>()
  #failure: string | null = null

  constructor(options: SimulationOptions) {
    this.#options = options
    const random = new SeededRandom(options.seed)
    this.#random = random
    const plan = planOf(options)
    // The plan has been drawn from it.
    random.fork()
    this.#plan = plan
    options.onPlan?.(plan)
    this.#record = new RunRecord(this.#queue, options.onNote)
    const { note } = this.#record
    this.#broker = new SimulatedBroker(this.#queue, random.fork(), {
      nodeCount: plan.nodes,
      markerDelayMs: plan.markerDelayMs,
      maxMessageBytes: plan.maxMessageBytes,
      segmentBatches: plan.segmentBatches,
      timeoutCheckMs: 2000,
      initialRebalanceDelayMs: plan.initialRebalanceDelayMs,
      minSessionTimeoutMs: 100,
      maxSessionTimeoutMs: 1_800_000,
    })
    const network: Network = {
      queue: this.#queue,
      random: random.fork(),
      broker: this.#broker,
      conditions: { ...calm, latencyMs: plan.network.latencyMs },
      connections: new Set(),
      corrupted: new Set(),
      note,
      onRequest: (process) => this.#faults.atCall(process),
    }
    const dimensions = parseDimensions(plan.dimensions)
    const windows = parseWindows(plan.windows, plan.panes)
    const enrichedTopic = plan.hasEnriched ? topics.enriched : null
    const parts: InstanceParts = {
      queue: this.#queue,
      random: random.fork(),
      network,
      plan,
      appId,
      topology: loginStatsTopology({
        appId,
        inputTopic: topics.input,
        outputTopic: topics.output,
        dlqTopic: topics.dlq,
        enrichedTopic,
        enrichedIp: { mode: 'keep' },
        dimensions,
        windows,
        maxClockSkewMs,
      }),
      fingerprint: { DIMENSIONS: plan.dimensions, ROLLING_WINDOWS: plan.windows },
      maxStreamTimeLeadMs: maxClockSkewMs,
      log: options.log ?? silentLog,
      onExit: (instance, code, message) => this.#exited(instance, code, message),
      observer: (process) => this.#observer(process),
    }
    this.#machines = Array.from({ length: plan.machines }, (_, index) => new Machine(`m${index}`, parts))
    this.#instances = Array.from({ length: plan.processes }, (_, index) => {
      const machine = this.#machines[index % plan.machines] as Machine
      return new Instance(`${machine.name}-p${index}`, machine, parts)
    })
    const writing = { queue: this.#queue, random: random.fork(), broker: this.#broker, plan }
    this.#writer = new InputWriter({ ...writing, topic: topics.input })
    this.#faults = new Faults({
      queue: this.#queue,
      random: random.fork(),
      broker: this.#broker,
      network,
      plan,
      machines: this.#machines,
      instances: this.#instances,
      foreign: new ForeignTransactions(this.#queue, this.#broker),
      clone: (machine) => this.#clone(machine, parts),
      writer: this.#writer,
      appId,
      inputTopic: topics.input,
      note,
    })
    for (const { disk } of this.#machines) disk.onOperation = (process) => this.#faults.atCall(process)
    this.#takeOvers = new TakeOverCheck({
      transactions: this.#broker.transactions,
      groups: this.#broker.groups,
      topology: parts.topology,
    })
    this.#oracle = {
      broker: this.#broker,
      appId,
      inputTopic: topics.input,
      outputTopic: topics.output,
      dlqTopic: topics.dlq,
      enrichedTopic,
      rules: { dimensions, windows: windows.list, panes: plan.panes, maxClockSkewMs },
    }
  }

  async run(): Promise<Outcome> {
    const { safetyMs, inputPartitions } = this.#plan
    this.#broker.topics.create({
      name: topics.input,
      partitionCount: inputPartitions,
      replicationFactor: -1,
      config: [],
    })
    this.#writer.start()
    for (const instance of this.#instances)
      this.#queue.after(this.#random.between(0, latestStartMs), () => {
        if (!instance.isUp) instance.start()
      })
    if (this.#options.faults !== false) this.#faults.start()
    await this.#queue.runUntil(safetyMs, () => this.#failure !== null)
    this.#faults.end()
    await this.#queue.runUntil(safetyMs * 3, () => this.#failure !== null || this.#writer.left === 0)
    this.#writer.finish()
    const healedAt = this.#queue.now
    const { markerDelayMs, transactionTimeoutMs } = this.#plan
    const isSlow = markerDelayMs >= transactionTimeoutMs / 4
    const verdict = await this.#catchUp(isSlow ? catchUpLimitOfSlowMarkersMs : catchUpLimitMs)
    const catchUpMs = Math.round(this.#queue.now - healedAt)
    await this.#checkStores()
    return {
      seed: this.#options.seed,
      failure: this.#failure,
      hash: this.#record.hash(this.#broker),
      events: this.#queue.executed,
      simulatedMs: Math.round(this.#queue.now),
      catchUpMs,
      valid: verdict?.valid ?? 0,
      invalid: verdict?.invalid ?? 0,
      counts: this.#record.counts,
    }
  }

  /** Until everything is counted and shown, or cannot be, or time is up. */
  async #catchUp(limitMs: number): Promise<Verdict | null> {
    const deadline = this.#queue.now + limitMs
    let wrongSince: number | null = null
    const lossesBefore = this.#record.counts[`exit ${lossExit}`]
    for (;;) {
      if (this.#failure !== null) return null
      if (this.#isInputLost && this.#record.counts[`exit ${lossExit}`] !== lossesBefore) {
        await this.#checkCommits()
        return null
      }
      const isLate = this.#queue.now >= deadline
      const open = unfinished(this.#oracle)
      if (open.length === 0) {
        const verdict = await judge(this.#oracle)
        const isShown = verdict.staleRows === 0 || this.#plan.followsWallClock
        if (verdict.differences.length === 0 && isShown) {
          await this.#checkCommits()
          return verdict
        }
        // What has been committed on all sides becomes right by the last decay alone, which is seconds away.
        wrongSince ??= this.#queue.now
        if (isLate || this.#queue.now - wrongSince > wrongLimitMs) {
          const shown = verdict.differences.slice(0, 5).join('\n  ')
          this.#fail(`wrong:\n  ${shown}\n  ${verdict.staleRows} stale rows`)
        }
      } else {
        wrongSince = null
        if (isLate) this.#fail(`not counted after ${limitMs} ms:\n  ${open.join('\n  ')}`)
      }
      await this.#queue.runUntil(this.#queue.now + lookEveryMs, () => this.#failure !== null)
    }
  }

  async #checkCommits(): Promise<void> {
    // Compaction takes away what a walk through the commits needs.
    const wrong = this.#plan.every.compaction === 0 ? await wrongCommits(this.#oracle) : []
    if (wrong.length > 0) this.#fail(wrong.slice(0, 5).join('\n  '))
  }

  /** Whether logins have been deleted that nobody has counted. */
  get #isInputLost(): boolean {
    const { loss } = this.#faults
    return loss !== null && (committedOffset(this.#oracle, loss.partition) ?? 0) < loss.upTo
  }

  /** After a clean stop every store holds its changelog, byte for byte. */
  async #checkStores(): Promise<void> {
    if (this.#failure !== null || this.#isInputLost) return
    // A process may not have heard yet that a clone has been in its place.
    const { sessionTimeoutMs } = this.#plan
    if (this.#clones.length > 0) await this.#queue.runUntil(this.#queue.now + sessionTimeoutMs)
    await this.#allRunning()
    if (this.#failure !== null) return
    this.#faults.isFinished = true
    const owners = new Map(
      this.#instances.flatMap((instance) =>
        this.#statusOf(instance.streams)
          .filter(({ state }) => state !== 'standby')
          .map(({ task }) => [task, instance] as const),
      ),
    )
    for (const { streams } of this.#instances) streams?.stop()
    await this.#queue.runUntil(
      this.#queue.now + settleLimitMs,
      () => this.#failure !== null || this.#instances.every(({ isUp }) => !isUp),
    )
    if (this.#instances.some(({ isUp }) => isUp)) this.#fail('a process does not stop')
    // The last markers are on their way.
    await this.#queue.runUntil(this.#queue.now + 1000)
    const folded = await foldBytes(this.#broker, `${appId}-counts-changelog`)
    for (const [partition, expected] of folded) {
      const owner = owners.get(`1_${partition}`)
      // Whoever has ended by an error may have deleted its store; it restores the next time. So does who has just found it damaged.
      if (owner === undefined || this.#failedAtTheEnd.has(owner)) continue
      const place = `${owner.name} 1_${partition}`
      if (this.#emptied.has(place)) continue
      // The answer to the last EndTxn may have been lost on the way: then the store is one commit behind, and the next start restores that.
      const lastStep = this.#lastSteps.get(place)
      if (lastStep !== undefined && lastStep !== 5) continue
      const difference = storeDifference(owner.machine.disk, `1_${partition}`, expected)
      if (difference !== null)
        this.#fail(`the store of ${owner.name} differs from changelog ${partition}: ${difference}`)
    }
  }

  /** Every task runs in one place, its standby tasks keep up, and no process is about to start or to end. */
  async #allRunning(): Promise<void> {
    const taskCount = [topics.input, `${appId}-counts-repartition`]
      .map((topic) => this.#broker.topics.partitionsOf(topic).length)
      .reduce((sum, count) => sum + count)
    const copies = Math.min(this.#plan.standbyReplicas, this.#instances.length - 1)
    const standbyCount = copies * this.#broker.topics.partitionsOf(`${appId}-counts-repartition`).length
    const deadline = this.#queue.now + settleLimitMs
    for (;;) {
      const streams = this.#instances.map((instance) => instance.streams)
      const isSettled = streams.every((one) => one !== null)
      const statuses = isSettled ? streams.flatMap((one) => this.#statusOf(one)) : []
      const running = new Set(statuses.flatMap(({ task, state }) => (state === 'running' ? [task] : [])))
      const standbys = statuses.filter(({ state }) => state === 'standby')
      const keepingUp = standbys.filter(({ isCaughtUp }) => isCaughtUp).length
      const areRight = running.size === taskCount && statuses.length === taskCount + standbyCount
      if (areRight && keepingUp === standbyCount) return
      if (this.#queue.now >= deadline) {
        const standby = `${keepingUp} of ${standbyCount} standby tasks keep up, of ${standbys.length}`
        this.#fail(`${running.size} of ${taskCount} tasks are running; ${standby}`)
      }
      if (this.#failure !== null) return
      await this.#queue.runUntil(this.#queue.now + lookEveryMs, () => this.#failure !== null)
    }
  }

  #statusOf(streams: Streams | null): TaskStatus[] {
    try {
      return streams?.status() ?? []
    } catch (error) {
      // While its thread ends, a process cannot tell.
      this.#record.count(`status ${coded(error, 'status').code}`)
      return []
    }
  }

  #exited(instance: Instance, code: string | null, message: string): void {
    this.#record.count(`exit ${code ?? 'clean'}`)
    if (code !== null && this.#faults.isFinished) this.#failedAtTheEnd.add(instance)
    const isExcused =
      code === null ||
      (code === cloneExit && this.#cloned.has(instance.machine)) ||
      (diskExits.includes(code) && instance.wasFull) ||
      (code === lossExit && this.#isInputLost)
    if (!isExcused) this.#fail(`${instance.name} has ended:\n  ${message}`)
    else if (!this.#clones.includes(instance)) this.#faults.restartLater(instance)
  }

  #observer(process: SimulatedProcess): EngineObserver {
    const { note } = this.#record
    return {
      takeOverStep: (task, step) => {
        note('step', process.name, task, 'take-over', step)
        const scope = this.#instanceOf(process)?.transactionScope
        const problem = scope === undefined ? null : this.#takeOvers.step(process.name, task, step, scope)
        if (problem !== null) this.#fail(problem)
        this.#faults.atStep(process)
      },
      commitStep: (task, step) => {
        note('step', process.name, task, step)
        this.#lastSteps.set(this.#placeOf(process, task), step)
        this.#faults.atStep(process)
      },
      restored: (task, { restoredRecords }) => {
        note('restored', process.name, task, restoredRecords)
        this.#emptied.delete(this.#placeOf(process, task))
      },
      storeWiped: (task, reason) => {
        this.#record.count(`wipe ${reason}`)
        this.#emptied.add(this.#placeOf(process, task))
        note('wiped', process.name, task, reason)
      },
      aborted: (task, { code }) => {
        this.#record.count(`abort ${code}`)
        note('aborted', process.name, task, code)
      },
      rebalanced: ({ assigned }) => note('assigned', process.name, assigned.join(',')),
    }
  }

  #instanceOf(process: SimulatedProcess): Instance | undefined {
    return [...this.#instances, ...this.#clones].find((instance) => instance.process === process)
  }

  #placeOf(process: SimulatedProcess, task: string): string {
    return `${this.#instanceOf(process)?.name} ${task}`
  }

  #clone(original: Machine, parts: InstanceParts): Instance {
    const machine = new Machine(`${original.name}-c${this.#clones.length}`, parts)
    machine.disk.copyFrom(original.disk)
    machine.disk.onOperation = (process) => this.#faults.atCall(process)
    const clone = new Instance(`${machine.name}-p0`, machine, parts)
    this.#clones.push(clone)
    this.#cloned.add(original)
    this.#cloned.add(machine)
    return clone
  }

  #fail(failure: string): void {
    this.#failure ??= failure
    this.#record.note('failure', failure)
  }
}
