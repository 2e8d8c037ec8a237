/** Whoever follows a topic goes on where it was, whatever kept it from reading, and knows when it has read all of it. */
import { expect, test } from 'vitest'
import { createKafkaClient } from '../../src/kafka/client.ts'
import { type Apis, kafkaError, type Wire } from '../../src/kafka/wire/wire.ts'
import { TopicFollower } from '../../src/login-stats/table/topic-follower.ts'
import type { KafkaClient } from '../../src/ports/kafka.ts'
import { SimulatedBroker } from './broker/simulated-broker.ts'
import { EventQueue } from './event-queue.ts'
import { SeededRandom } from './random.ts'
import { silentLog } from './silent-log.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { calm, type Network, SimulatedWire } from './simulated-wire.ts'

const topic = 'followed'
const partitionCount = 2
const secondMs = 1000
const hourMs = 3_600_000

class World {
  readonly queue = new EventQueue()
  readonly random = new SeededRandom(1)
  readonly broker: SimulatedBroker
  readonly network: Network
  /** The principal of the reader may not read the topic. */
  isDenied = false
  readonly taken: string[] = []
  restarts = 0
  failsToTake = false
  readonly #writer: KafkaClient

  constructor() {
    this.broker = new SimulatedBroker(this.queue, this.random, {
      ...{ nodeCount: 1, markerDelayMs: 3, maxMessageBytes: 1_048_588, segmentBatches: 7 },
      ...{ timeoutCheckMs: 10_000, initialRebalanceDelayMs: 0 },
      ...{ minSessionTimeoutMs: 100, maxSessionTimeoutMs: 1_800_000 },
    })
    this.network = {
      ...{ queue: this.queue, random: this.random, broker: this.broker, conditions: { ...calm } },
      ...{ connections: new Set(), corrupted: new Set(), note: () => {}, onRequest: () => {} },
    }
    this.#writer = this.#client('writer', (wire) => wire).kafka
  }

  #client(name: string, through: (wire: Wire) => Wire) {
    const process = new SimulatedProcess(name, this.queue)
    const wire = through(new SimulatedWire(this.network, process))
    const { clock } = process
    const { random } = this
    return { clock, kafka: createKafkaClient({ wire, clock, random, log: silentLog, compression: 'none' }) }
  }

  /** A wire over which the topic is not given to who must not read it. */
  #guarded(wire: Wire): Wire {
    return {
      send: async (target, api, request, options) => {
        if (!this.isDenied || api !== 'Fetch') return await wire.send(target, api, request, options)
        const { partitions } = request as Apis['Fetch']['request']
        const refused = partitions.map(({ topic: name, partition }) => ({
          ...{ topic: name, partition, errorCode: kafkaError.TOPIC_AUTHORIZATION_FAILED },
          ...{ highWatermark: -1, lastStableOffset: -1, logStartOffset: -1 },
          ...{ abortedTransactions: [], records: Buffer.alloc(0) },
        }))
        return { errorCode: kafkaError.NONE, partitions: refused } as never
      },
      close: () => wire.close(),
    }
  }

  async done<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = () => {
      isOver = true
    }
    work.then(over, over)
    await this.queue.runUntil(this.queue.now + hourMs, () => isOver)
    if (!isOver) throw new Error('It did not end in time.')
    return await work
  }

  async pass(ms: number): Promise<void> {
    await this.queue.runUntil(this.queue.now + ms)
  }

  async make(): Promise<void> {
    const config = {}
    await this.done(
      this.#writer.admin.createTopics([{ name: topic, partitionCount, replicationFactor: -1, config }]),
    )
  }

  /** Each text is a transaction of its own, in the partition of its number. */
  async write(texts: readonly string[], end: 'commit' | 'abort' = 'commit'): Promise<void> {
    const work = async (): Promise<void> => {
      const producer = this.#writer.producer({ transactionalId: 'writer', transactionTimeoutMs: 60_000 })
      await producer.init()
      for (const [at, text] of texts.entries()) {
        const records = producer.appender()
        records.append(Buffer.from(text), Buffer.from(text), 0)
        await producer.send([{ partition: { topic, partition: at % partitionCount }, records }])
        await producer[end]()
      }
    }
    await this.done(work())
  }

  follow(isCompacted = false): TopicFollower {
    const { kafka, clock } = this.#client('reader', (wire) => this.#guarded(wire))
    const follower = new TopicFollower({
      ...{ kafka, clock, log: silentLog, topic, isCompacted },
      take: (records) => {
        for (let record = records.next(); record !== null; record = records.next()) {
          this.taken.push(String(record.key()))
          if (!this.failsToTake) continue
          this.failsToTake = false
          this.network.conditions.unreachable = 1
          throw new Error('the disk')
        }
      },
      restart: () => {
        this.restarts += 1
        this.taken.length = 0
      },
    })
    follower.start()
    return follower
  }

  /** Where the partitions end, for who reads committed records. */
  async ends(): Promise<number[]> {
    const partitions = Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition }))
    return await this.done(this.#writer.admin.listOffsets(partitions, 'lastStable'))
  }
}

const names = (prefix: string): string[] => Array.from({ length: 6 }, (_, at) => `${prefix}${at}`)

async function followed(isCompacted = false): Promise<{ world: World; follower: TopicFollower }> {
  const world = new World()
  await world.make()
  await world.write(names('a'))
  const follower = world.follow(isCompacted)
  await world.pass(5 * secondMs)
  expect(world.taken.toSorted()).toEqual(names('a'))
  return { world, follower }
}

test('its position is the end of the topic once all is taken, also where nobody may see what is there', async () => {
  const { world, follower } = await followed()
  expect([...follower.positions.values()]).toEqual(await world.ends())
  await world.write(names('b'), 'abort')
  await world.pass(5 * secondMs)
  expect(world.taken).toHaveLength(6)
  expect([...follower.positions.values()]).toEqual(await world.ends())
  await world.done(follower.close())
})

test('rights that are lost and given back make it older; then it goes on, and takes each record once', async () => {
  const { world, follower } = await followed()
  world.isDenied = true
  // A fetch that waits at the broker was allowed.
  await world.pass(secondMs)
  await world.write(names('b'))
  await world.pass(60 * secondMs)
  expect(follower.failure).toMatchObject({ code: 'AUTHORIZATION_FAILED' })
  expect(follower.isComplete).toBe(true)
  expect(follower.ageMs).toBeGreaterThan(50 * secondMs)
  expect(world.taken).toHaveLength(6)
  world.isDenied = false
  await world.pass(20 * secondMs)
  expect(follower.failure).toBeNull()
  expect(follower.ageMs).toBeLessThan(2 * secondMs)
  expect(world.restarts).toBe(0)
  expect(world.taken.toSorted()).toEqual([...names('a'), ...names('b')])
  await world.done(follower.close())
})

test('so do brokers that cannot be reached for long', async () => {
  const { world, follower } = await followed(true)
  world.network.conditions.unreachable = 1
  await world.pass(hourMs)
  expect(follower.isComplete).toBe(true)
  world.network.conditions.unreachable = 0
  await world.write(names('b'))
  await world.pass(20 * secondMs)
  expect(world.restarts).toBe(0)
  expect(world.taken.toSorted()).toEqual([...names('a'), ...names('b')])
  await world.done(follower.close())
})

test.each(['unreachable', 'denied'])(
  'a compacted topic that was %s for longer than deletions are kept is read anew',
  async (how) => {
    const { world, follower } = await followed(true)
    if (how === 'denied') world.isDenied = true
    else world.network.conditions.unreachable = 1
    await world.pass(13 * hourMs)
    expect(follower.isComplete).toBe(true)
    world.isDenied = false
    world.network.conditions.unreachable = 0
    await world.pass(60 * secondMs)
    expect(world.restarts).toBe(1)
    expect(world.taken.toSorted()).toEqual(names('a'))
    expect(follower.isComplete).toBe(true)
    await world.done(follower.close())
  },
)

test('records that were half taken are forgotten, with all others, and taken again', async () => {
  const { world, follower } = await followed()
  await world.write(names('b').slice(0, 5))
  await world.pass(secondMs)
  world.failsToTake = true
  await world.write(names('b').slice(5))
  await world.pass(secondMs)
  // Also while it cannot be read from its start.
  expect(world.failsToTake).toBe(false)
  expect([follower.isComplete, follower.ageMs]).toEqual([false, null])
  world.network.conditions.unreachable = 0
  await world.pass(20 * secondMs)
  expect(world.restarts).toBe(1)
  expect(follower.isComplete).toBe(true)
  expect(world.taken.toSorted()).toEqual([...names('a'), ...names('b')])
  await world.done(follower.close())
})
