import { describe, expect, it } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { Producer } from '../../../src/kafka/transactional-producer.ts'
import { kafkaError } from '../../../src/kafka/wire/wire.ts'
import { codeOf, metadata, type ScriptedWire, scripted } from './scripted-wire.ts'

const partition = { topic: 't', partition: 0 }
const unreachable = new CodedError('KAFKA_UNREACHABLE', { operation: 'wire' })
const lost = new CodedError('OUTCOME_UNKNOWN', { operation: 'wire' })
const identity = { groupId: 'g', generationId: 3, memberId: 'm', instanceId: 'i' }
const offsets = [{ partition, offset: 7, metadata: '' }]

const produced = (errorCode: number, baseOffset = 0) => ({
  partitions: [{ ...partition, errorCode, baseOffset, logStartOffset: 0 }],
})
const added = (errorCode: number) => ({ partitions: [{ ...partition, errorCode }] })
const initialized = (errorCode: number) => ({ errorCode, producerId: 5n, producerEpoch: 2 })

async function ready() {
  const { wire, clock, context } = scripted()
  wire.script('InitProducerId', initialized(0))
  wire.script('AddPartitionsToTxn', added(0))
  wire.script('Produce', produced(0))
  wire.script('AddOffsetsToTxn', { errorCode: 0 })
  wire.script('TxnOffsetCommit', added(0))
  wire.script('EndTxn', { errorCode: 0 })
  const options = { transactionalId: 'app-0_0', transactionTimeoutMs: 10_000, compression: 'none' } as const
  const producer = new Producer(context, options)
  await producer.init()
  return { wire, clock, producer, send: (count = 1) => producer.send([outgoing(producer, count)]) }
}

function outgoing(producer: Producer, count: number) {
  const records = producer.appender()
  for (let i = 0; i < count; i++) records.append(null, Buffer.from(`${i}`), 0)
  return { partition, records }
}

const sequences = (wire: ScriptedWire) =>
  wire.requests('Produce').map(({ partitions }) => partitions[0]?.batch.readInt32BE(53))

describe('the transactional producer', () => {
  it('counts sequences on from send to send, and from transaction to transaction', async () => {
    const { wire, producer, send } = await ready()
    await send(3)
    await send(2)
    await producer.commit()
    await send(1)
    expect(sequences(wire)).toEqual([0, 3, 5])
  })

  it('adds a partition once per transaction', async () => {
    const { wire, producer, send } = await ready()
    await send()
    await send()
    await producer.commit()
    await send()
    expect(wire.sent('AddPartitionsToTxn')).toHaveLength(2)
  })

  it.each([
    'NOT_LEADER_OR_FOLLOWER',
    'LEADER_NOT_AVAILABLE',
    'NOT_ENOUGH_REPLICAS',
    'UNKNOWN_TOPIC_OR_PARTITION',
  ] as const)('sends the same bytes to the new leader after %s', async (name) => {
    const { wire, send } = await ready()
    wire.script('Produce', produced(kafkaError[name], -1), produced(0, 40))
    wire.script('Metadata', metadata(['t'], 1, 0), metadata(['t'], 2, 1))
    expect(await send(2)).toEqual([42])
    const [first, second] = wire.requests('Produce').map(({ partitions }) => partitions[0]?.batch)
    expect(second?.equals(first ?? Buffer.alloc(0))).toBe(true)
    expect(wire.sent('Produce').map(({ target }) => target)).toEqual([1, 2])
  })

  it('sends again what certainly was not sent', async () => {
    const { wire, send } = await ready()
    wire.script('Produce', unreachable, produced(0, 10))
    expect(await send(1)).toEqual([11])
  })

  it.each([
    ['a lost answer', lost],
    ['DUPLICATE_SEQUENCE_NUMBER', produced(46)],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', produced(45)],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', produced(20)],
    ['REQUEST_TIMED_OUT', produced(7)],
    ['INVALID_TXN_STATE', produced(48)],
    ['an answer without the partition', { partitions: [] }],
    ['an acknowledgement without an offset', produced(0, -1)],
  ])('never sends again after %s, and is dead', async (_, answer) => {
    const { wire, producer, send } = await ready()
    wire.script('Produce', answer)
    expect(await codeOf(() => send())).toBe('OUTCOME_UNKNOWN')
    expect(wire.sent('Produce')).toHaveLength(1)
    const callsBefore = wire.calls.length
    expect(await codeOf(() => send())).toBe('OUTCOME_UNKNOWN')
    expect(await codeOf(() => producer.commit())).toBe('OUTCOME_UNKNOWN')
    expect(await codeOf(() => producer.abort())).toBe('OUTCOME_UNKNOWN')
    expect(wire.calls).toHaveLength(callsBefore)
  })

  it.each([47, 90, 49])('is fenced by error code %i', async (errorCode) => {
    const fenced = 'PRODUCER_FENCED'
    for (const api of ['Produce', 'EndTxn', 'TxnOffsetCommit', 'AddPartitionsToTxn'] as const) {
      const { wire, producer, send } = await ready()
      if (api === 'Produce') wire.script(api, produced(errorCode))
      else if (api === 'EndTxn') wire.script(api, { errorCode })
      else wire.script(api, added(errorCode))
      const all = async () => {
        await send()
        await producer.sendOffsets(identity, offsets)
        await producer.commit()
      }
      expect([api, await codeOf(all)]).toEqual([api, fenced])
    }
  })

  it.each([22, 25, 27, 82])(
    'says that the task has migrated where the group answers %i',
    async (errorCode) => {
      const { wire, producer } = await ready()
      wire.script('TxnOffsetCommit', added(errorCode))
      expect(await codeOf(() => producer.sendOffsets(identity, offsets))).toBe('TASK_MIGRATED')
      expect(wire.requests('TxnOffsetCommit')[0]).toMatchObject(identity)
    },
  )

  it.each([14, 15, 16, 51])(
    'looks for the coordinator again and repeats EndTxn after %i',
    async (errorCode) => {
      const { wire, producer, send } = await ready()
      await send()
      wire.script('EndTxn', { errorCode }, { errorCode: 0 })
      const lookedUpBefore = wire.sent('FindCoordinator').length
      await producer.commit()
      expect(wire.sent('EndTxn')).toHaveLength(2)
      expect(wire.sent('FindCoordinator').length - lookedUpBefore).toBe(errorCode === 51 ? 0 : 1)
    },
  )

  it('does not know the outcome of an EndTxn that never got a good answer', async () => {
    for (const answer of [lost, { errorCode: 16 }, { errorCode: 48 }, { errorCode: -1 }, unreachable]) {
      const { wire, clock, producer, send } = await ready()
      await send()
      wire.script('EndTxn', answer)
      const startedAt = clock.monotonic()
      expect(await codeOf(() => producer.commit())).toBe('OUTCOME_UNKNOWN')
      expect(clock.monotonic() - startedAt).toBeLessThan(10_000)
    }
  })

  it('never lets a request wait longer than the transaction lasts', async () => {
    const { wire, producer, send } = await ready()
    await send()
    await producer.sendOffsets(identity, offsets)
    await producer.commit()
    for (const { options } of wire.calls) expect(options.timeoutMs).toBeLessThan(10_000)
  })

  it('waits in init until the last transaction of the id is finished', async () => {
    const { wire, context } = scripted()
    wire.script(
      'InitProducerId',
      initialized(51),
      initialized(16),
      unreachable,
      initialized(51),
      initialized(0),
    )
    const producer = new Producer(context, {
      transactionalId: 'id',
      transactionTimeoutMs: 10_000,
      compression: 'none',
    })
    await producer.init()
    expect(wire.sent('InitProducerId')).toHaveLength(5)
  })

  it('takes the cause among partitions that were not attempted', async () => {
    const { wire, send } = await ready()
    const other = { topic: 't', partition: 1 }
    wire.script('AddPartitionsToTxn', {
      partitions: [
        { ...partition, errorCode: 55 },
        { ...other, errorCode: 29 },
      ],
    })
    expect(await codeOf(() => send())).toBe('AUTHORIZATION_FAILED')
  })

  it('sends a second batch of a partition after the first is acknowledged', async () => {
    const { wire, producer } = await ready()
    const records = producer.appender()
    for (let i = 0; i < 5; i++) records.append(null, Buffer.alloc(400_000), 0)
    let inFlight = 0
    let nextOffset = 100
    wire.on('Produce', async ({ partitions }) => {
      expect(++inFlight).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      inFlight--
      const baseOffset = nextOffset
      nextOffset += partitions[0]?.batch.readInt32BE(57) ?? 0
      return produced(0, baseOffset)
    })
    expect(await producer.send([{ partition, records }])).toEqual([105])
    expect(sequences(wire)).toEqual([0, 2, 4])
  })

  it('refuses two calls at once', async () => {
    const { producer, send } = await ready()
    const first = send()
    expect(await codeOf(() => producer.commit())).toBe('INTERNAL')
    expect(await codeOf(() => first)).toBe('INTERNAL')
  })

  it('leaves out what has no records', async () => {
    const { wire, producer } = await ready()
    expect(await producer.send([outgoing(producer, 0)])).toEqual([-1])
    expect(wire.sent('Produce')).toHaveLength(0)
  })
})
