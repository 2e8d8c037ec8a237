/** One side of the comparison: a wire, and how time passes there. */
import { createKafkajsWire } from '../../../src/kafka/wire/kafkajs-wire.ts'
import type { Wire } from '../../../src/kafka/wire/wire.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { createLogger } from '../../../src/system/logger.ts'
import { SimulatedBroker } from '../../simulation/broker/simulated-broker.ts'
import { EventQueue } from '../../simulation/event-queue.ts'
import { SeededRandom } from '../../simulation/random.ts'
import { SimulatedProcess } from '../../simulation/simulated-process.ts'
import { calm, SimulatedWire } from '../../simulation/simulated-wire.ts'

export interface Party {
  readonly wire: Wire
  readonly nodeId: number
  pass(milliseconds: number): Promise<void>
  /** Lets time pass until something is settled. */
  wait<T>(promise: Promise<T>): Promise<T>
  close(): Promise<void>
}

export async function realParty(bootstrapServers: string): Promise<Party> {
  const wire = createKafkajsWire({
    bootstrapServers: bootstrapServers.split(','),
    clientId: 'sequences',
    log: createLogger({ level: 'silent' }),
    clock: systemClock,
  })
  const options = { timeoutMs: 10_000, lane: 'control' }
  const { controllerId } = await wire.send('bootstrap', 'Metadata', { topics: [] }, options)
  return {
    wire,
    nodeId: controllerId,
    pass: (milliseconds) => systemClock.sleep(milliseconds),
    wait: (promise) => promise,
    close: () => wire.close(),
  }
}

/** A broker of its own, so that one sequence knows nothing of another. */
export function simulatedParty(seed: number): Party {
  const queue = new EventQueue()
  const random = new SeededRandom(seed)
  const broker = new SimulatedBroker(queue, random, {
    nodeCount: 1,
    markerDelayMs: 3,
    maxMessageBytes: 1_048_588,
    segmentBatches: 0,
    timeoutCheckMs: 10_000,
    initialRebalanceDelayMs: 0,
    minSessionTimeoutMs: 1000,
    maxSessionTimeoutMs: 1_800_000,
  })
  const network = {
    queue,
    random,
    broker,
    conditions: calm,
    connections: new Set<never>(),
    corrupted: new Set<never>(),
    note: () => {},
    onRequest: () => {},
  }
  const wire = new SimulatedWire(network, new SimulatedProcess('sequences', queue))
  return {
    wire,
    nodeId: 1,
    pass: (milliseconds) => queue.runUntil(queue.now + milliseconds),
    wait: async (promise) => {
      let isSettled = false
      const settle = (): void => {
        isSettled = true
      }
      promise.then(settle, settle)
      await queue.runUntil(queue.now + 60_000, () => isSettled)
      return promise
    },
    close: () => wire.close(),
  }
}
