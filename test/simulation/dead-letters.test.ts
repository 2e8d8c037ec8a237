/**
 * `dlq replay` on the simulated broker: killed at each of its requests in turn, and under faults of the network with two of them at once.
 * Whatever happens, every dead letter is written back once in the end, and never more. And `dlq list`, where there are many.
 */
import { describe, expect, it } from 'vitest'
import { coded } from '../../src/errors.ts'
import { createKafkaClient } from '../../src/kafka/client.ts'
import { loadConfig } from '../../src/login-stats/config/index.ts'
import { type LetterRow, type ListOptions, listLetters } from '../../src/login-stats/dead-letters/list.ts'
import { type ReplayReport, replay } from '../../src/login-stats/dead-letters/replay.ts'
import type { RepeatedLetters } from '../../src/login-stats/dead-letters/replay-decision.ts'
import { deadLetter } from '../../src/login-stats/domain/dead-letter.ts'
import type { KafkaClient } from '../../src/ports/kafka.ts'
import { SimulatedBroker } from './broker/simulated-broker.ts'
import { EventQueue } from './event-queue.ts'
import { readTopic } from './oracle.ts'
import { SeededRandom } from './random.ts'
import { silentLog } from './silent-log.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { calm, type Network, type NetworkConditions, SimulatedWire } from './simulated-wire.ts'

const config = loadConfig({ APP_ID: 'app', INPUT_TOPIC: 'in', DLQ_TOPIC: 'dead' })
const partitions = 3
const lettersPerPartition = 14
const letterCount = partitions * lettersPerPartition
const codes = ['NOT_JSON', 'FIELD_INVALID'] as const
/** Ten letters in a transaction. */
const rate = 50
const limitMs = 600_000

class World {
  readonly queue = new EventQueue()
  readonly random: SeededRandom
  readonly network: Network
  readonly #broker: SimulatedBroker
  onRequest: (process: SimulatedProcess) => void = () => {}

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.#broker = new SimulatedBroker(this.queue, this.random, {
      nodeCount: 3,
      markerDelayMs: 3,
      maxMessageBytes: 1_048_588,
      segmentBatches: 7,
      timeoutCheckMs: 10_000,
      initialRebalanceDelayMs: 0,
      minSessionTimeoutMs: 100,
      maxSessionTimeoutMs: 1_800_000,
    })
    this.network = {
      queue: this.queue,
      random: this.random,
      broker: this.#broker,
      conditions: { ...calm },
      connections: new Set(),
      corrupted: new Set(),
      note: () => {},
      onRequest: (process) => this.onRequest(process),
    }
  }

  process(name: string): { readonly process: SimulatedProcess; readonly kafka: KafkaClient } {
    const process = new SimulatedProcess(name, this.queue)
    const wire = new SimulatedWire(this.network, process)
    const { clock } = process
    const { random } = this
    return { process, kafka: createKafkaClient({ wire, clock, random, log: silentLog, compression: 'none' }) }
  }

  /** Simulated time goes on until the work is done or its process is dead: then null. */
  async within<T>(process: SimulatedProcess, work: Promise<T>): Promise<T | null> {
    let outcome: { value: T } | { error: unknown } | null = null
    work.then(
      (value) => {
        outcome = { value }
      },
      (error: unknown) => {
        outcome = { error }
      },
    )
    await this.queue.runUntil(this.queue.now + limitMs, () => outcome !== null || process.isDead)
    const ended = outcome as { value: T } | { error: unknown } | null
    if (ended === null && !process.isDead) throw new Error('It did not end in time.')
    if (ended !== null && 'error' in ended) throw ended.error
    return ended === null ? null : ended.value
  }

  /** Dead letters of two codes, by turns, in transactions of a few; all of them once more for each time that the input is read again. */
  async writeLetters({
    perPartition = lettersPerPartition,
    perTransaction = 5,
    readings = 1,
  } = {}): Promise<void> {
    const { process, kafka } = this.process('writer')
    const topics = ['in', 'dead'].map((name) => ({
      ...{ name, partitionCount: partitions, replicationFactor: -1, config: {} },
    }))
    const work = async (): Promise<void> => {
      await kafka.admin.createTopics(topics)
      const producer = kafka.producer({ transactionalId: 'writer', transactionTimeoutMs: 60_000 })
      await producer.init()
      for (let from = 0; from < readings * perPartition; from += perTransaction)
        for (let partition = 0; partition < partitions; partition++) {
          const records = producer.appender()
          const to = Math.min(from + perTransaction, readings * perPartition)
          for (let offset = from % perPartition, at = from; at < to; at++, offset = at % perPartition) {
            const code = codes[offset % codes.length] ?? 'NOT_JSON'
            const value = Buffer.from(`${partition}:${offset}`)
            const place = { topic: 'in', partition, offset, timestamp: offset }
            const record = { key: null, value, headers: [], ...place }
            const letter = deadLetter(record, { code, message: 'It is wrong.' }, 1_000_000)
            records.append(letter.key, letter.value, process.clock.now(), letter.headers)
          }
          await producer.send([{ partition: { topic: 'dead', partition }, records }])
          await producer.commit()
        }
    }
    await this.within(process, work())
    // Until then the markers of the last transactions may be missing.
    await this.queue.runUntil(this.queue.now + 1000)
  }

  /** A replay in a process of its own. */
  begin(
    name: string,
    code: string | null = null,
    repeated: RepeatedLetters = 'ask',
  ): { process: SimulatedProcess; report: Promise<ReplayReport> } {
    const { process, kafka } = this.process(name)
    const report = replay({
      ...{ kafka, clock: process.clock, log: silentLog, config, code, rate },
      ...{ limit: Number.POSITIVE_INFINITY, isDryRun: false },
      repeated,
      isStopped: () => false,
      onProgress: () => {},
    })
    return { process, report }
  }

  list(options: Pick<ListOptions, 'order' | 'limit' | 'code'>): Promise<LetterRow[] | null> {
    const { process, kafka } = this.process('list')
    const since = Number.NEGATIVE_INFINITY
    return this.within(process, listLetters({ kafka, clock: process.clock, config, since, ...options }))
  }

  async replay(...how: Parameters<World['begin']>): Promise<ReplayReport | null> {
    const { process, report } = this.begin(...how)
    return await this.within(process, report)
  }

  /** How often each letter has been written back, of those that have; as readers of committed records see it. */
  async copies(): Promise<Map<string, number>> {
    const copies = new Map<string, number>()
    await readTopic(this.#broker, 'in', ({ value, headers }, partition) => {
      const text = String(value)
      expect(text.startsWith(`${partition}:`)).toBe(true)
      expect(headers).toEqual([])
      copies.set(text, (copies.get(text) ?? 0) + 1)
    })
    return copies
  }

  async expectAllOnce(what: string): Promise<void> {
    const copies = await this.copies()
    expect(
      [...copies].filter(([, count]) => count !== 1),
      what,
    ).toEqual([])
    expect(copies.size, what).toBe(letterCount)
  }
}

describe('a replay', () => {
  it('in peace writes each letter back, and the next one none', async () => {
    const world = new World(1)
    await world.writeLetters()
    expect(await world.replay('first')).toMatchObject({ replay: letterCount, isComplete: true })
    await world.expectAllOnce('after one')
    expect(await world.replay('second')).toMatchObject({ replay: 0, done: 0 })
  })

  /** What replays may do with the letters of records that were read twice; 'ask' would not come to the end of them. */
  const ways = [
    { readings: 1, repeated: 'ask' },
    { readings: 2, repeated: 'skip' },
    { readings: 3, repeated: 'write' },
  ] as const
  const deaths = [
    { when: 'before it is sent', delayMs: null },
    { when: 'while it is on its way', delayMs: 0 },
    { when: 'when it has arrived', delayMs: 0.4 },
  ]

  it.each(ways.flatMap((way) => deaths.map((death) => ({ ...way, ...death }))))(
    'that dies at any of its requests, $when, is finished by the next one: $repeated',
    async ({ delayMs, readings, repeated }) => {
      let requests = Number.POSITIVE_INFINITY
      for (let at = 1; at < requests; at++) {
        const world = new World(at)
        await world.writeLetters({ readings })
        let sent = 0
        world.onRequest = (process) => {
          if (process.name !== 'victim' || ++sent !== at) return
          if (delayMs === null) process.kill()
          else world.queue.after(delayMs, () => process.kill())
        }
        // A replay of one code, with all that it has to look up, is as good a victim.
        const report = await world.replay('victim', at % 2 === 0 ? 'NOT_JSON' : null, repeated)
        if (report !== null) requests = Math.min(requests, at)
        await world.replay('next', null, repeated)
        await world.expectAllOnce(`killed at request ${at}`)
      }
      expect(requests).toBeGreaterThan(40)
    },
  )

  const bad: Partial<NetworkConditions> = {
    unreachable: 0.02,
    loseRequest: 0.03,
    arriveLate: 0.5,
    loseAnswer: 0.03,
    delay: 0.05,
    longestDelayMs: 15_000,
    errorAnswer: 0.03,
    longestSilenceMs: 3000,
  }

  it.each(ways)(
    'beside another one, over connections that lose, delay and repeat, writes none back twice: $repeated',
    async ({ readings, repeated }) => {
      const outcomes: Record<string, number> = {}
      for (let seed = 1; seed <= 150; seed++) {
        const world = new World(seed)
        await world.writeLetters({ readings })
        Object.assign(world.network.conditions, bad)
        for (let round = 0; round < 3; round++) {
          const begun = [
            world.begin('one', null, repeated),
            world.begin('two', world.random.pick([null, ...codes]), repeated),
          ]
          const ends = begun.map(async ({ report }) => {
            const outcome = await report.then(
              () => 'done',
              (error: unknown) => coded(error, 'replay').code,
            )
            outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
          })
          const ended = Promise.all(ends)
          let isOver = false
          void ended.then(() => {
            isOver = true
          })
          await world.queue.runUntil(world.queue.now + world.random.between(50, 20_000), () => isOver)
          for (const { process } of begun) process.kill()
        }
        Object.assign(world.network.conditions, calm)
        // What is late still arrives.
        await world.queue.runUntil(world.queue.now + 60_000)
        expect(await world.replay('last', null, repeated), `seed ${seed}`).toMatchObject({ isComplete: true })
        await world.expectAllOnce(`seed ${seed}`)
      }
      expect(outcomes.done).toBeGreaterThan(10)
      expect(outcomes.PRODUCER_FENCED).toBeGreaterThan(10)
    },
  )
})

describe('a list', () => {
  it('has the newest or the oldest of all partitions, however many there are', async () => {
    const world = new World(1)
    await world.writeLetters({ perPartition: 2600, perTransaction: 50 })
    const all = (await world.list({ order: 'oldest', limit: 100_000, code: null })) ?? []
    expect(all).toHaveLength(2600 * partitions)
    for (const order of ['oldest', 'newest'] as const)
      for (const code of [null, ...codes])
        for (const limit of [1, 7, 1400]) {
          const inOrder = order === 'oldest' ? all : all.toReversed()
          const expected = inOrder.filter((row) => code === null || row.code === code).slice(0, limit)
          expect(await world.list({ order, limit, code })).toEqual(expected)
        }
  })
})
