/** What goes wrong during the safety phase, when and how long; and what heals afterwards. */
import type { SimulatedBroker } from './broker/simulated-broker.ts'
import type { EventQueue } from './event-queue.ts'
import type { ForeignTransactions } from './foreign-transactions.ts'
import type { InputWriter } from './input-writer.ts'
import type { Instance } from './instance.ts'
import type { Machine } from './machine.ts'
import type { Plan } from './plan.ts'
import type { SeededRandom } from './random.ts'
import { epochMs, type SimulatedProcess } from './simulated-process.ts'
import { calm, type Network } from './simulated-wire.ts'

interface FaultParts {
  readonly queue: EventQueue
  readonly random: SeededRandom
  readonly broker: SimulatedBroker
  readonly network: Network
  readonly plan: Plan
  readonly machines: readonly Machine[]
  readonly instances: readonly Instance[]
  readonly foreign: ForeignTransactions
  /** A new process on a new machine, with a copy of the disk of this one. */
  clone(machine: Machine): Instance
  readonly writer: InputWriter
  readonly appId: string
  readonly inputTopic: string
  note(what: string, ...details: (string | number)[]): void
}

const longestRestartMs = 2000
const longestCloneMs = 5000
const mostBatchesBehind = 6
const mostForeignRecords = 5

export class Faults {
  readonly #parts: FaultParts
  readonly #clones: Instance[] = []
  #isOn = false
  /** Records of the input below that offset were deleted, although the group had not got there. */
  loss: { readonly partition: number; readonly upTo: number } | null = null

  constructor(parts: FaultParts) {
    this.#parts = parts
  }

  start(): void {
    this.#isOn = true
    const { network, plan } = this.#parts
    Object.assign(network.conditions, plan.network)
    const { every } = plan
    this.#again(every.kill, () => this.#kill(this.#anInstance()))
    this.#again(every.stop, () => this.#stop(this.#anInstance()))
    this.#again(every.term, () => this.#terminate(this.#anInstance()))
    this.#again(every.rebalance, () => this.#rebalance())
    this.#again(every.fence, () => this.#fence())
    this.#again(every.forgetId, () => this.#forgetId())
    this.#again(every.moveLeader, () => this.#moveLeader())
    this.#again(every.moveCoordinator, () => this.#moveCoordinator())
    this.#again(every.nodeDown, () => this.#takeNodeDown())
    this.#again(every.compaction, () => this.#compact())
    this.#again(every.fullDisk, () => this.#fillDisk(this.#aMachine()))
    this.#again(every.bitFlip, () => this.#flipBit(this.#aMachine()))
    this.#again(every.clockJump, () => this.#jumpClock(this.#aMachine()))
    this.#again(every.grow, () => this.#grow())
    this.#again(every.retention, () => this.#deleteRead())
    this.#again(every.hang, () => this.#hang())
    this.#again(every.clone, () => this.#clone(this.#aMachine()))
    if (plan.losesInput) this.#loseInputLater()
  }

  /** Everything heals, and every instance runs a process. */
  end(): void {
    this.#isOn = false
    const { network, plan, broker, machines, instances, foreign } = this.#parts
    Object.assign(network.conditions, calm, { latencyMs: Math.min(2, plan.network.latencyMs) })
    broker.down.clear()
    foreign.endAll()
    for (const clone of this.#clones) clone.kill()
    for (const machine of machines) machine.heal()
    for (const instance of instances) {
      instance.process?.continue()
      if (!instance.isUp) instance.start()
    }
  }

  /** A request, or an operation of the disk, is about to be made. */
  atCall(process: SimulatedProcess): void {
    if (this.#isOn && this.#parts.random.chance(this.#parts.plan.crashAtCall)) this.#killProcess(process)
  }

  /** A step of a commit or of a take-over is done. */
  atStep(process: SimulatedProcess): void {
    const { random, plan } = this.#parts
    if (!this.#isOn) return
    if (random.chance(plan.crashAtStep)) this.#killProcess(process)
    else if (random.chance(plan.stopAtStep)) this.#stopProcess(process)
  }

  restartLater(instance: Instance): void {
    const delayMs = this.#isOn ? this.#parts.random.logarithmic(20, longestRestartMs) : 100
    this.#parts.queue.after(delayMs, () => {
      if (!instance.isUp && !this.isFinished) instance.start()
    })
  }

  /** Set when processes are stopped for good. */
  isFinished = false

  #again(meanMs: number, happen: () => void): void {
    if (meanMs === 0) return
    this.#parts.queue.after(this.#parts.random.between(0.2, 1.8) * meanMs, () => {
      if (!this.#isOn) return
      happen()
      this.#again(meanMs, happen)
    })
  }

  #aMachine(): Machine {
    return this.#parts.random.pick(this.#parts.machines)
  }

  #anInstance(): Instance {
    return this.#parts.random.pick(this.#parts.instances)
  }

  #killProcess(process: SimulatedProcess): void {
    const instance = this.#parts.instances.find((candidate) => candidate.process === process)
    if (instance !== undefined) this.#kill(instance)
  }

  /** The process dies, perhaps with its machine and all that runs there. */
  #kill(instance: Instance): void {
    if (!instance.isUp) return
    const { random, plan, note, instances } = this.#parts
    const { machine } = instance
    const { disk } = machine
    const isMachineDown = random.chance(plan.atKill.machineDown)
    const dying = isMachineDown ? instances.filter((other) => other.machine === machine) : [instance]
    for (const other of dying) other.kill()
    if (isMachineDown) {
      note('machine down', machine.name)
      machine.reboot()
    }
    if (random.chance(plan.atKill.damage)) note('damage', disk.damage() ?? 'none')
    // Nobody deletes what processes hold open.
    const isIdle = instances.every((other) => other.machine !== machine || !other.isUp)
    if (isIdle && random.chance(plan.atKill.diskLost)) {
      note('disk lost', machine.name)
      disk.clear()
    }
    for (const other of dying) this.restartLater(other)
  }

  #stop({ process }: Instance): void {
    if (process !== null && !process.isStopped) this.#stopProcess(process)
  }

  #stopProcess(process: SimulatedProcess): void {
    const { queue, random, plan, note } = this.#parts
    note('stop', process.name)
    process.stop()
    queue.after(random.logarithmic(20, plan.longestStopMs), () => {
      if (!process.isStopped) return
      note('continue', process.name)
      process.continue()
    })
  }

  #terminate({ process, streams }: Instance): void {
    if (process === null || streams === null) return
    this.#parts.note('term', process.name)
    process.deliver(() => streams.stop())
  }

  #rebalance(): void {
    this.#parts.note('rebalance')
    this.#parts.broker.groups.rebalance(this.#parts.appId)
  }

  #fence(): void {
    const { broker, random, note, appId } = this.#parts
    const ids = broker.transactions.transactionalIds.filter((id) => id.startsWith(appId))
    if (ids.length === 0) return
    const id = random.pick(ids)
    note('fence', id)
    broker.transactions.fence(id)
  }

  #forgetId(): void {
    const { broker, random, note, appId } = this.#parts
    const ids = broker.transactions.transactionalIds.filter((id) => id.startsWith(appId))
    if (ids.length === 0) return
    const id = random.pick(ids)
    if (broker.transactions.forget(id)) note('id forgotten', id)
  }

  #moveLeader(): void {
    const { broker, random, plan, note } = this.#parts
    const { topic, partition } = random.pick([...broker.topics.partitions()])
    note('move leader', topic, partition)
    if (plan.longestLagMs === 0) broker.moveLeader(topic, partition)
    else {
      const lag = {
        batches: 1 + random.below(mostBatchesBehind),
        ms: random.logarithmic(1, plan.longestLagMs),
      }
      broker.moveLeader(topic, partition, lag)
    }
  }

  #moveCoordinator(): void {
    const { broker, random, note, appId } = this.#parts
    const ids = broker.transactions.transactionalIds.filter((id) => id.startsWith(appId))
    const isGroup = ids.length === 0 || random.chance(0.5)
    const key = isGroup ? appId : random.pick(ids)
    note('move coordinator', key)
    broker.moveCoordinator(isGroup ? 0 : 1, key, random.logarithmic(1, 1000))
  }

  #takeNodeDown(): void {
    const { broker, network, queue, random, plan, note } = this.#parts
    const nodeId = random.pick(broker.nodeIds)
    if (broker.down.has(nodeId)) return
    note('node down', nodeId)
    broker.takeDown(nodeId, random.logarithmic(1, 1000))
    for (const connection of [...network.connections]) if (connection.nodeId === nodeId) connection.lose()
    queue.after(random.logarithmic(20, plan.longestDownMs), () => {
      note('node up', nodeId)
      broker.down.delete(nodeId)
    })
  }

  #compact(): void {
    const { broker, random, note } = this.#parts
    for (const { topic, log } of broker.topics.partitions()) {
      if (!broker.topics.isCompacted(topic) || !random.chance(0.5)) continue
      note('compact', topic, log.batches.length)
      log.compact(random.below(6), random.chance(0.5))
    }
  }

  #fillDisk(machine: Machine): void {
    const { queue, random, note, instances } = this.#parts
    note('disk full', machine.name)
    machine.disk.isFull = true
    for (const instance of instances) if (instance.machine === machine) instance.wasFull = true
    queue.after(random.logarithmic(20, 2000), () => {
      machine.disk.isFull = false
    })
  }

  #flipBit({ name, disk }: Machine): void {
    const path = disk.flipBit()
    if (path !== null) this.#parts.note('bit flip', name, path)
  }

  #jumpClock(machine: Machine): void {
    const { random, plan, note } = this.#parts
    const byMs = random.between(-1, 1) * random.logarithmic(10, plan.longestClockJumpMs)
    note('clock jump', machine.name, Math.round(byMs))
    machine.jumpClock(byMs)
  }

  /** Retention, for once, waits for the application. */
  #deleteRead(): void {
    const { broker, random, note, appId, inputTopic } = this.#parts
    const { partition, log } = random.pick(broker.topics.partitionsOf(inputTopic))
    const committed = broker.groups.committed(appId, `${inputTopic}/${partition}`)?.offset ?? 0
    if (committed <= log.logStart) return
    const upTo = log.logStart + 1 + random.below(committed - log.logStart)
    note('retention', partition, upTo)
    log.deleteBelow(upTo)
  }

  /** Retention does not wait. Tried until something is there that is not counted, of a partition that has been counted before. */
  #loseInputLater(): void {
    const { queue, random, broker, note, appId, inputTopic } = this.#parts
    queue.after(random.logarithmic(50, 500), () => {
      if (!this.#isOn) return
      const { partition, log } = random.pick(broker.topics.partitionsOf(inputTopic))
      const committed = broker.groups.committed(appId, `${inputTopic}/${partition}`)?.offset ?? null
      if (committed === null || committed >= log.lastStable) {
        this.#loseInputLater()
        return
      }
      const upTo = committed + 1 + random.below(log.lastStable - committed)
      note('input lost', partition, upTo)
      this.loss = { partition, upTo }
      log.deleteBelow(upTo)
    })
  }

  #hang(): void {
    const { broker, random, plan, note, foreign, writer, appId, inputTopic } = this.#parts
    const changelogs = broker.topics.partitionsOf(`${appId}-counts-changelog`)
    const isInput = changelogs.length === 0 || random.chance(0.5)
    const where = random.pick(isInput ? broker.topics.partitionsOf(inputTopic) : changelogs)
    note('hang', where.topic, where.partition)
    const timestampMs = Math.floor(epochMs + this.#parts.queue.now)
    const records = Array.from({ length: 1 + random.below(mostForeignRecords) }, () =>
      // As a count that is far too high would begin.
      isInput ? writer.login() : { key: Buffer.from('\x01total'), value: Buffer.alloc(20, 1), timestampMs },
    )
    const end = { ms: random.logarithmic(20, plan.longestHangMs), commit: isInput && random.chance(0.5) }
    void foreign.begin(where, records, end)
  }

  /** It does not come back, whatever ends it. */
  #clone(machine: Machine): void {
    const { queue, random, note } = this.#parts
    const clone = this.#parts.clone(machine)
    note('clone', clone.name)
    this.#clones.push(clone)
    clone.start()
    queue.after(random.logarithmic(50, longestCloneMs), () => clone.kill())
  }

  #grow(): void {
    const { broker, inputTopic, note } = this.#parts
    const partitionCount = broker.topics.partitionsOf(inputTopic).length + 1
    note('grow', partitionCount)
    broker.topics.grow(inputTopic, partitionCount)
  }
}
