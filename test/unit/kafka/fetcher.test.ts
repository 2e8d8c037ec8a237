import { describe, expect, it } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { PartitionFetcher } from '../../../src/kafka/fetcher.ts'
import { Reading } from '../../../src/kafka/reading.ts'
import { committedRecords } from '../../../src/kafka/records/committed-records.ts'
import { RecordBatchBuilder } from '../../../src/kafka/records/record-batch-builder.ts'
import type { Apis } from '../../../src/kafka/wire/wire.ts'
import type { FetcherOptions } from '../../../src/ports/kafka.ts'
import { codeOf, metadata, scripted } from './scripted-wire.ts'

type FetchRequest = Apis['Fetch']['request']
type PartitionAnswer = Apis['Fetch']['answer']['partitions'][number]

const at = (partition: number) => ({ topic: 't', partition })
const lost = new CodedError('OUTCOME_UNKNOWN', { operation: 'wire' })

/** One batch of `count` records that begins at `baseOffset`. */
async function batch(baseOffset: number, count = 1): Promise<Buffer> {
  const builder = new RecordBatchBuilder({ compression: 'none' })
  for (let i = 0; i < count; i++) builder.append(null, Buffer.from(`${baseOffset + i}`), 0)
  const [built] = await builder.build({
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    transactional: false,
  })
  const bytes = built?.batch ?? Buffer.alloc(0)
  bytes.writeBigInt64BE(BigInt(baseOffset), 0)
  return bytes
}

function partitionAnswer(partition: number, overrides: Partial<PartitionAnswer> = {}): PartitionAnswer {
  return {
    ...at(partition),
    errorCode: 0,
    highWatermark: 0,
    lastStableOffset: 0,
    logStartOffset: 0,
    abortedTransactions: [],
    records: Buffer.alloc(0),
    ...overrides,
  }
}

/** Every fetch is held until the test answers it. */
function fetcher(options: FetcherOptions = {}) {
  const { wire, clock, context } = scripted()
  const held: {
    request: FetchRequest
    lane: string
    target: unknown
    answer(...partitions: PartitionAnswer[]): Promise<void>
    fail(error: CodedError): Promise<void>
  }[] = []
  wire.on('Fetch', (request, target, { lane }) => {
    const { promise, resolve } = Promise.withResolvers<Apis['Fetch']['answer'] | CodedError>()
    const settle = async (value: Apis['Fetch']['answer'] | CodedError) => {
      held.splice(held.indexOf(entry), 1)
      resolve(value)
      for (let turn = 0; turn < 5; turn++) await clock.yield()
    }
    const entry = {
      request,
      lane,
      target,
      answer: (...partitions: PartitionAnswer[]) => settle({ errorCode: 0, partitions }),
      fail: (error: CodedError) => settle(error),
    }
    held.push(entry)
    return promise
  })
  const reader = new PartitionFetcher(context, options)
  const settled = async () => {
    for (let turn = 0; turn < 5; turn++) await clock.yield()
  }
  return { wire, clock, held, reader, settled }
}

const offsetsOf = (request: FetchRequest | undefined) =>
  request?.partitions.map(({ partition, offset }) => [partition, offset])

describe('the fetcher', () => {
  it('drops an answer to what was asked before a seek', async () => {
    const { held, reader, settled } = fetcher()
    reader.seek(at(0), 5)
    await settled()
    const stale = held[0]
    reader.seek(at(0), 20)
    await stale?.answer(partitionAnswer(0, { records: await batch(5, 3), lastStableOffset: 30 }))
    expect(reader.poll()).toBeNull()
    expect([reader.position(at(0)), reader.lastStableOffset(at(0))]).toEqual([20, null])
    expect(offsetsOf(held[0]?.request)).toEqual([[0, 20]])
    await held[0]?.answer(partitionAnswer(0, { records: await batch(20), lastStableOffset: 30 }))
    expect(reader.poll()?.next()?.offset).toBe(20)
  })

  it('asks for the next chunk when the last is taken, not before', async () => {
    const { held, reader, settled } = fetcher()
    reader.seek(at(0), 0)
    await settled()
    await held[0]?.answer(partitionAnswer(0, { records: await batch(0, 4), lastStableOffset: 9 }))
    expect(held).toHaveLength(0)
    expect(reader.position(at(0))).toBe(0)
    expect(reader.poll()?.recordCount).toBe(4)
    expect(reader.position(at(0))).toBe(4)
    expect(held.map(({ request }) => offsetsOf(request))).toEqual([[[0, 4]]])
  })

  it('waits for partitions at their end on one lane, and asks for others on a second one meanwhile', async () => {
    const { held, reader, settled } = fetcher({ maxWaitMs: 250 })
    reader.seek(at(0), 0)
    await settled()
    expect(held[0]?.request.maxWaitMs).toBe(0)
    await held[0]?.answer(partitionAnswer(0))
    expect(held[0]?.request.maxWaitMs).toBe(250)
    reader.seek(at(1), 0)
    await settled()
    expect(held.map(({ request }) => offsetsOf(request))).toEqual([[[0, 0]], [[1, 0]]])
    expect(held[1]?.lane).not.toBe(held[0]?.lane)
    await held[1]?.answer(partitionAnswer(1))
    // At its end too, but the waiting request is not back: asked for in short waits.
    expect(offsetsOf(held[1]?.request)).toEqual([[1, 0]])
    expect(held[1]?.request.maxWaitMs).toBeLessThanOrEqual(50)
    reader.seek(at(2), 0)
    await settled()
    expect(held).toHaveLength(2)
  })

  it('turns the order of partitions from request to request', async () => {
    const { held, reader, settled } = fetcher()
    for (const partition of [0, 1, 2]) reader.seek(at(partition), 0)
    await settled()
    const first = new Set<number | undefined>()
    for (let i = 0; i < 12; i++) {
      const waiting = held[i % held.length]
      if (waiting === undefined) break
      if (waiting.request.partitions.length === 3) first.add(waiting.request.partitions[0]?.partition)
      await waiting.answer(...waiting.request.partitions.map(({ partition }) => partitionAnswer(partition)))
    }
    expect(first.size).toBeGreaterThan(1)
  })

  it.each([3, 5, 6, 9, 56, 74, 75, 78, -1])(
    'finds the leader again and goes on at the same offset after error %i',
    async (errorCode) => {
      const { wire, clock, held, reader, settled } = fetcher()
      reader.seek(at(0), 7)
      await settled()
      wire.script('Metadata', metadata(['t'], 2, 1))
      await held[0]?.answer(partitionAnswer(0, { errorCode }))
      await clock.pass(50)
      await settled()
      expect(held.map(({ target, request }) => [target, offsetsOf(request)])).toEqual([[2, [[0, 7]]]])
      expect(await codeOf(() => reader.throwFailure())).toBeNull()
    },
  )

  it('goes on after a lost answer', async () => {
    const { clock, held, reader, settled } = fetcher()
    reader.seek(at(0), 7)
    await settled()
    await held[0]?.fail(lost)
    await clock.pass(50)
    expect(offsetsOf(held[0]?.request)).toEqual([[0, 7]])
  })

  it.each([
    [1, 'OFFSET_OUT_OF_RANGE'],
    [29, 'AUTHORIZATION_FAILED'],
    [35, 'UNSUPPORTED_BROKER'],
  ])('reports error %i once and reads the partition no more', async (errorCode, code) => {
    const { clock, held, reader, settled } = fetcher()
    let arrivals = 0
    reader.onArrival(() => {
      arrivals++
    })
    reader.seek(at(0), 7)
    await settled()
    await held[0]?.answer(partitionAnswer(0, { errorCode }))
    expect(arrivals).toBe(1)
    expect(await codeOf(() => reader.throwFailure())).toBe(code)
    expect(await codeOf(() => reader.throwFailure())).toBeNull()
    await clock.pass(10_000)
    expect(held).toHaveLength(0)
  })

  it('takes a topic for missing when the brokers have not known it for some seconds', async () => {
    const { wire, clock, reader } = fetcher()
    wire.script('Metadata', metadata([]))
    reader.seek(at(0), 0)
    for (let i = 0; i < 30; i++) await clock.pass(100)
    expect(await codeOf(() => reader.throwFailure())).toBeNull()
    for (let i = 0; i < 50; i++) await clock.pass(100)
    expect(await codeOf(() => reader.throwFailure())).toBe('TOPIC_MISSING')
  })

  it('asks for a damaged batch again before it blames the log', async () => {
    const { clock, held, reader, settled } = fetcher()
    reader.seek(at(0), 0)
    await settled()
    for (let i = 0; i < 3; i++) {
      expect(await codeOf(() => reader.throwFailure())).toBeNull()
      const records = await batch(0)
      records.writeUInt8(records.readUInt8(records.length - 2) ^ 1, records.length - 2)
      await held[0]?.answer(partitionAnswer(0, { records, lastStableOffset: 1 }))
      await clock.pass(100)
    }
    expect(await codeOf(() => reader.throwFailure())).toBe('CORRUPT_BATCH')
  })

  it('passes a hole that compaction has left before the last stable offset', async () => {
    const { held, reader, settled } = fetcher({ isCompacted: true })
    reader.seek(at(0), 4)
    await settled()
    for (let i = 0; i < 3; i++) {
      expect(reader.position(at(0))).toBe(4)
      await held[0]?.answer(partitionAnswer(0, { lastStableOffset: 9 }))
    }
    expect(reader.position(at(0))).toBe(9)
  })

  it('waits where a broker gives nothing of a topic that is not compacted: it may just be slow to bring it', async () => {
    const { held, reader, settled } = fetcher()
    reader.seek(at(0), 4)
    await settled()
    for (let i = 0; i < 10; i++) await held[0]?.answer(partitionAnswer(0, { lastStableOffset: 9 }))
    expect(reader.position(at(0))).toBe(4)
  })

  it('does not take for a hole what may have had no room in the answer', () => {
    const reading = new Reading(at(0), 4, { random: { next: () => 0.5, id: () => 'id' }, isCompacted: true })
    const empty = committedRecords({ ...partitionAnswer(0, { lastStableOffset: 9 }), fetchOffset: 4 })
    for (let i = 0; i < 10; i++)
      reading.accept(empty, { mustHaveRecords: false, hasBytes: false, askedAt: 0 })
    expect(reading.position).toBe(4)
    reading.accept(empty, { mustHaveRecords: true, hasBytes: false, askedAt: 0 })
    expect(reading.position).toBe(4)
  })

  it('leaves nothing running after close', async () => {
    const { wire, clock, held, reader, settled } = fetcher()
    reader.seek(at(0), 0)
    await settled()
    const closing = reader.close()
    await held[0]?.answer(partitionAnswer(0))
    await closing
    const calls = wire.calls.length
    await clock.pass(10_000)
    expect(wire.calls).toHaveLength(calls)
  })
})
