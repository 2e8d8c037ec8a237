import { afterAll, beforeAll } from 'vitest'
import { createKafkaClient } from '../../src/kafka/client.ts'
import { describeKafkaPortContract } from '../contract/kafka-port-contract.ts'
import { SimulatedBroker } from './broker/simulated-broker.ts'
import { EventQueue } from './event-queue.ts'
import { SeededRandom } from './random.ts'
import { silentLog } from './silent-log.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { calm, type Network, SimulatedWire } from './simulated-wire.ts'

const compactionIntervalMs = 500

const queue = new EventQueue()
const random = new SeededRandom(1)
const broker = new SimulatedBroker(queue, random, {
  nodeCount: 3,
  markerDelayMs: 3,
  maxMessageBytes: 1_048_588,
  segmentBatches: 7,
  timeoutCheckMs: 10_000,
  initialRebalanceDelayMs: 0,
  minSessionTimeoutMs: 100,
  maxSessionTimeoutMs: 1_800_000,
})
const network: Network = {
  queue,
  random,
  broker,
  conditions: { ...calm },
  connections: new Set(),
  corrupted: new Set(),
  note: () => {},
  onRequest: () => {},
}
const process = new SimulatedProcess('contract', queue)

let isOver = false
let running: Promise<void>

/** Simulated time runs as fast as it can, beside the tests that wait for it. */
beforeAll(() => {
  const compact = (): void => {
    for (const { topic, log } of broker.topics.partitions())
      if (broker.topics.isCompacted(topic))
        log.compact(2, broker.topics.config(topic, 'delete.retention.ms') === '0')
    queue.after(compactionIntervalMs, compact)
  }
  compact()
  running = runBesideTests()
})
afterAll(async () => {
  isOver = true
  await running
})

async function runBesideTests(): Promise<void> {
  while (!isOver) {
    const executed = queue.executed
    await queue.runUntil(queue.now + 20)
    // The runner of the tests has work of its own between them.
    if (queue.executed === executed || executed % 64 === 0)
      await new Promise((resolve) => setImmediate(resolve))
  }
}

let names = 0

describeKafkaPortContract('the simulated broker', {
  createClient: ({ compression = 'none' } = {}) =>
    createKafkaClient({
      wire: new SimulatedWire(network, process),
      clock: process.clock,
      random,
      log: silentLog,
      compression,
    }),
  uniqueName: (name) => `${name}-${names++}`,
  clock: process.clock,
})
