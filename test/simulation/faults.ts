/** What goes wrong during the safety phase, when and how long; and what heals afterwards. */
import type { SimulatedBroker } from './broker/simulated-broker.ts'
import type { EventQueue } from './event-queue.ts'
import type { Machine } from './machine.ts'
import type { Plan } from './plan.ts'
import type { SeededRandom } from './random.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { calm, type Network } from './simulated-wire.ts'

interface FaultParts {
  readonly queue: EventQueue
  readonly random: SeededRandom
  readonly broker: SimulatedBroker
  readonly network: Network
  readonly plan: Plan
  readonly machines: readonly Machine[]
  readonly appId: string
  readonly inputTopic: string
  note(what: string, ...details: (string | number)[]): void
}

const longestRestartMs = 3000

export class Faults {
  readonly #parts: FaultParts
  #isOn = false

  constructor(parts: FaultParts) {
    this.#parts = parts
  }

  start(): void {
    this.#isOn = true
    const { network, plan } = this.#parts
    Object.assign(network.conditions, plan.network)
    const { every } = plan
    this.#again(every.kill, () => this.#kill(this.#aMachine()))
    this.#again(every.stop, () => this.#stop(this.#aMachine()))
    this.#again(every.term, () => this.#terminate(this.#aMachine()))
    this.#again(every.rebalance, () => this.#rebalance())
    this.#again(every.fence, () => this.#fence())
    this.#again(every.moveLeader, () => this.#moveLeader())
    this.#again(every.moveCoordinator, () => this.#moveCoordinator())
    this.#again(every.nodeDown, () => this.#takeNodeDown())
    this.#again(every.compaction, () => this.#compact())
    this.#again(every.fullDisk, () => this.#fillDisk(this.#aMachine()))
    this.#again(every.grow, () => this.#grow())
  }

  /** Everything heals, and every machine runs a process. */
  end(): void {
    this.#isOn = false
    const { network, plan, broker, machines } = this.#parts
    Object.assign(network.conditions, calm, { latencyMs: Math.min(2, plan.network.latencyMs) })
    broker.down.clear()
    for (const machine of machines) {
      machine.disk.isFull = false
      machine.process?.continue()
      if (!machine.isUp) machine.start()
    }
  }

  /** A request, or an operation of the disk, is about to be made. */
  atCall(process: SimulatedProcess): void {
    if (this.#isOn && this.#parts.random.chance(this.#parts.plan.crashAtCall)) this.#killProcess(process)
  }

  atStep(process: SimulatedProcess): void {
    if (this.#isOn && this.#parts.random.chance(this.#parts.plan.crashAtStep)) this.#killProcess(process)
  }

  restartLater(machine: Machine): void {
    const delayMs = this.#isOn ? this.#parts.random.logarithmic(20, longestRestartMs) : 100
    this.#parts.queue.after(delayMs, () => {
      if (!machine.isUp && !this.isFinished) machine.start()
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

  #killProcess(process: SimulatedProcess): void {
    const machine = this.#parts.machines.find((candidate) => candidate.process === process)
    if (machine !== undefined) this.#kill(machine)
  }

  #kill(machine: Machine): void {
    if (!machine.isUp) return
    const { random, plan, note } = this.#parts
    machine.kill({ machineDown: random.chance(plan.atKill.machineDown) })
    if (random.chance(plan.atKill.damage)) note('damage', machine.disk.damage() ?? 'none')
    if (random.chance(plan.atKill.diskLost)) {
      note('disk lost', machine.name)
      machine.disk.clear()
    }
    this.restartLater(machine)
  }

  #stop({ process }: Machine): void {
    if (process === null || process.isStopped) return
    const { queue, random, plan, note } = this.#parts
    note('stop', process.name)
    process.stop()
    queue.after(random.logarithmic(20, plan.longestStopMs), () => {
      if (!process.isStopped) return
      note('continue', process.name)
      process.continue()
    })
  }

  #terminate({ process, streams }: Machine): void {
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

  #moveLeader(): void {
    const { broker, random, note } = this.#parts
    const { topic, partition } = random.pick([...broker.topics.partitions()])
    note('move leader', topic, partition)
    broker.moveLeader(topic, partition)
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
    const { queue, random, note } = this.#parts
    note('disk full', machine.name)
    machine.disk.isFull = true
    machine.wasFull = true
    queue.after(random.logarithmic(20, 2000), () => {
      machine.disk.isFull = false
    })
  }

  #grow(): void {
    const { broker, inputTopic, note } = this.#parts
    const partitionCount = broker.topics.partitionsOf(inputTopic).length + 1
    note('grow', partitionCount)
    broker.topics.grow(inputTopic, partitionCount)
  }
}
