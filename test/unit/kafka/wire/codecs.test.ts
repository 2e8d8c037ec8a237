/**
 * The bytes were made by the message classes of Apache Kafka 4.3.0 (MessageUtil.toByteBufferAccessor). Those of flexible
 * answers get the header's empty tagged fields in front, which Kafka writes with the header.
 */
import { describe, expect, test } from 'vitest'
import { codecs } from '../../../../src/kafka/wire/codecs/codecs.ts'
import type { ApiName, Apis } from '../../../../src/kafka/wire/wire.ts'

async function encoded<A extends ApiName>(api: A, request: Apis[A]['request']): Promise<string> {
  return Buffer.concat(await codecs[api].encode(request)).toString('hex')
}

async function decoded<A extends ApiName>(api: A, hex: string): Promise<Apis[A]['answer']> {
  const header = codecs[api].flexible ? '00' : ''
  return await codecs[api].decode(Buffer.from(header + hex, 'hex'))
}

describe('requests are the bytes that Kafka itself writes', () => {
  test('Metadata v10 of some topics, of all, and of none', async () => {
    expect(await encoded('Metadata', { topics: ['in', 'zö'] })).toBe(
      '030000000000000000000000000000000003696e0000000000000000000000000000000000047ac3b60000000000',
    )
    expect(await encoded('Metadata', { topics: null })).toBe('0000000000')
    expect(await encoded('Metadata', { topics: [] })).toBe('0100000000')
  })

  test('OffsetFetch v7', async () => {
    const topics = [
      { topic: 'a', partitions: [0, 300] },
      { topic: 'b', partitions: [1] },
    ]
    expect(await encoded('OffsetFetch', { groupId: 'g', topics, requireStable: true })).toBe(
      '026703026103000000000000012c0002620200000001000100',
    )
  })

  test('TxnOffsetCommit v3 of a static member, with 64-bit numbers in full', async () => {
    const request = {
      transactionalId: 'app-0_3',
      groupId: 'app',
      producerId: 9007199254740993n,
      producerEpoch: 12,
      generationId: 5,
      memberId: 'm-1',
      instanceId: 'i-1',
      partitions: [{ topic: 'in', partition: 3, offset: 2 ** 32, metadata: 'x' }],
    }
    expect(await encoded('TxnOffsetCommit', request)).toBe(
      '086170702d305f33046170700020000000000001000c00000005046d2d3104692d310203696e02000000030000000100000000ffffffff0278000000',
    )
  })

  test('TxnOffsetCommit v3 of a dynamic member without offsets', async () => {
    const request = {
      transactionalId: 't',
      groupId: 'g',
      producerId: 0n,
      producerEpoch: 0,
      generationId: 1,
      memberId: '',
      instanceId: null,
      partitions: [],
    }
    expect(await encoded('TxnOffsetCommit', request)).toBe('02740267000000000000000000000000000101000100')
  })

  test('LeaveGroup v3 of several members', async () => {
    const members = [
      { memberId: 'm', instanceId: null },
      { memberId: '', instanceId: 'i' },
    ]
    expect(await encoded('LeaveGroup', { groupId: 'g', members })).toBe('0001670000000200016dffff0000000169')
  })

  test('Fetch v11: read_committed, without a session', async () => {
    const request = {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 1000,
      partitions: [
        { topic: 'a', partition: 0, offset: 2 ** 32 + 1, maxBytes: 70 },
        { topic: 'b', partition: 1, offset: 5, maxBytes: 90 },
        { topic: 'a', partition: 2, offset: 0, maxBytes: 80 },
      ],
    }
    expect(await encoded('Fetch', request)).toBe(
      'ffffffff000001f400000001000003e80100000000ffffffff000000020001610000000200000000ffffffff0000000100000001ffffffffffffffff0000004600000002ffffffff0000000000000000ffffffffffffffff000000500001620000000100000001ffffffff0000000000000005ffffffffffffffff0000005a000000000000',
    )
  })

  test('Produce v7, the batches not copied', async () => {
    const batches = [Buffer.from([1, 2, 3]), Buffer.from([4]), Buffer.from([5, 6])] as const
    const request = {
      transactionalId: 't',
      timeoutMs: 3000,
      partitions: [
        { topic: 'a', partition: 0, batch: batches[0] },
        { topic: 'a', partition: 1, batch: batches[1] },
        { topic: 'b', partition: 7, batch: batches[2] },
      ],
    }
    expect(await encoded('Produce', request)).toBe(
      '000174ffff00000bb8000000020001610000000200000000000000030102030000000100000001040001620000000100000007000000020506',
    )
    const parts = await codecs.Produce.encode(request)
    for (const batch of batches) expect(parts).toContain(batch)
  })

  test('an offset that is no whole number is refused, not written as 0', async () => {
    const partitions = [{ topic: 'a', partition: 0, offset: Number.NaN, maxBytes: 1 }]
    const request = { maxWaitMs: 0, minBytes: 0, maxBytes: 1, partitions }
    await expect(async () => encoded('Fetch', request)).rejects.toThrow(RangeError)
  })
})

describe('answers are read from the bytes that Kafka itself writes', () => {
  test('Metadata v10, past tagged fields that it does not know', async () => {
    const answer = await decoded(
      'Metadata',
      '00000009030000000303623300002384027200000000040362340000ffff0000046369640000000403000003696ef178d21b7797417d94fd62c20cefb80e000300000000000000000003000000070300000003000000040200000003020000000400000500000001ffffffffffffffff0101010080000000000003036e6f00000000000000000000000000000000000180000000008000000001c80103010203',
    )
    expect(answer).toEqual({
      clusterId: 'cid',
      controllerId: 4,
      brokers: [
        { nodeId: 3, host: 'b3', port: 9092 },
        { nodeId: 4, host: 'b4', port: 65535 },
      ],
      topics: [
        {
          errorCode: 0,
          name: 'in',
          topicId: '8XjSG3eXQX2U_WLCDO-4Dg',
          partitions: [
            { errorCode: 0, partition: 0, leaderId: 3, leaderEpoch: 7 },
            { errorCode: 5, partition: 1, leaderId: -1, leaderEpoch: -1 },
          ],
        },
        { errorCode: 3, name: 'no', topicId: null, partitions: [] },
      ],
    })
  })

  test('OffsetFetch v7, past tagged fields within a partition', async () => {
    const answer = await decoded(
      'OffsetFetch',
      '000000000202610300000000000001000000000700000002026d0000000000012cffffffffffffffffffffffff000058010502090900000000',
    )
    expect(answer).toEqual({
      errorCode: 0,
      partitions: [
        { topic: 'a', partition: 0, errorCode: 0, offset: 1099511627783, metadata: 'm' },
        { topic: 'a', partition: 300, errorCode: 88, offset: -1, metadata: '' },
      ],
    })
  })

  test('TxnOffsetCommit v3', async () => {
    expect(await decoded('TxnOffsetCommit', '000000000203696e02000000030016000000')).toEqual({
      partitions: [{ topic: 'in', partition: 3, errorCode: 22 }],
    })
  })

  test('LeaveGroup v3', async () => {
    expect(await decoded('LeaveGroup', '0000000000000000000100016d0001690019')).toEqual({
      errorCode: 0,
      members: [{ memberId: 'm', errorCode: 25 }],
    })
  })

  const fetched =
    '000000000000000000000000000100016100000002000000000000000000000000000a000000000000000800000000000000020000000100200000000000010000000000000003ffffffff00000005deadbeef01000000020001ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'

  test('Fetch v11, the records as a view', async () => {
    const bytes = Buffer.from(fetched, 'hex')
    const answer = await codecs.Fetch.decode(bytes)
    expect(answer).toEqual({
      errorCode: 0,
      partitions: [
        {
          topic: 'a',
          partition: 0,
          errorCode: 0,
          highWatermark: 10,
          lastStableOffset: 8,
          logStartOffset: 2,
          abortedTransactions: [{ producerId: 9007199254740993n, firstOffset: 3 }],
          records: Buffer.from('deadbeef01', 'hex'),
        },
        {
          topic: 'a',
          partition: 2,
          errorCode: 1,
          highWatermark: -1,
          lastStableOffset: -1,
          logStartOffset: -1,
          abortedTransactions: [],
          records: Buffer.alloc(0),
        },
      ],
    })
    expect(answer.partitions[0]?.records.buffer).toBe(bytes.buffer)
  })

  test('Produce v7', async () => {
    const answer = await decoded(
      'Produce',
      '00000001000161000000020000000000000000000100000003ffffffffffffffff000000000000000400000001002fffffffffffffffffffffffffffffffffffffffffffffffff00000001',
    )
    expect(answer).toEqual({
      partitions: [
        { topic: 'a', partition: 0, errorCode: 0, baseOffset: 4294967299, logStartOffset: 4 },
        { topic: 'a', partition: 1, errorCode: 47, baseOffset: -1, logStartOffset: -1 },
      ],
    })
  })

  test('an answer that ends too early is refused at every length, not read as less', async () => {
    const whole = Buffer.from(fetched, 'hex')
    for (let length = 0; length < whole.length; length++)
      expect(() => codecs.Fetch.decode(whole.subarray(0, length)), `${length} bytes`).toThrow(RangeError)
  })

  test('records that are cut off before their announced length are refused', () => {
    const onePartition = fetched.replace('016100000002', '016100000001')
    const end = onePartition.indexOf('deadbeef01')
    const whole = Buffer.from(onePartition.slice(0, end + 10), 'hex')
    expect(codecs.Fetch.decode(whole)).toMatchObject({ partitions: [{ partition: 0 }] })
    expect(() => codecs.Fetch.decode(whole.subarray(0, -1))).toThrow('5 bytes of records announced, 4 there')
  })
})
