/** A machine: its disk and its clock, which the processes share that run on it. */
import type { EventQueue } from './event-queue.ts'
import type { Plan } from './plan.ts'
import type { SeededRandom } from './random.ts'
import { SimulatedDisk } from './simulated-disk.ts'

export class Machine {
  readonly name: string
  readonly disk: SimulatedDisk
  /** A new one at each boot. */
  bootId: string
  /** How far its wall clock is ahead. */
  skewMs: number
  readonly #usualSkewMs: number
  readonly #random: SeededRandom

  constructor(name: string, parts: { queue: EventQueue; random: SeededRandom; plan: Plan }) {
    const { queue, random, plan } = parts
    this.name = name
    this.#random = random
    this.disk = new SimulatedDisk(queue, random)
    this.disk.latencyMs = plan.diskLatencyMs
    this.bootId = random.id()
    this.#usualSkewMs = Math.round(random.between(-1, 1) * plan.skewMs)
    this.skewMs = this.#usualSkewMs
  }

  /** The power goes, and comes back. All its processes must have been killed. */
  reboot(): void {
    this.disk.loseUnsynced()
    this.bootId = this.#random.id()
  }

  /** Its wall clock is set, wrongly. */
  jumpClock(byMs: number): void {
    this.skewMs += Math.round(byMs)
  }

  heal(): void {
    this.disk.isFull = false
    this.skewMs = this.#usualSkewMs
  }
}
