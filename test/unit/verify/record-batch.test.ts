import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { readAnswer } from '../../../src/verify/read-committed.ts'
import { type KafkaRecord, readBatches, readMarker, readRecords } from '../../../src/verify/record-batch.ts'
import { makeBatch, makeMarker } from './batches.ts'

const require = createRequire(import.meta.url)

async function only(bytes: Buffer): Promise<KafkaRecord[]> {
  const [batch] = [...readBatches(bytes)]
  return readRecords(batch!)
}

describe('readBatches and readRecords', () => {
  it.each(['none', 'gzip', 'lz4', 'zstd'] as const)(
    'read every field of a batch (%s)',
    async (compression) => {
      const records = await only(
        makeBatch({
          baseOffset: 1000,
          compression,
          records: [
            {
              key: 'k',
              value: 'v',
              timestamp: 5_000_000_000_000,
              headers: [
                ['a', 'b'],
                ['c', null],
              ],
            },
            { key: null, value: 'x'.repeat(300), timestamp: 4_000_000_000_000 },
            { key: '', value: null, at: 7 },
          ],
        }),
      )
      expect(records).toEqual([
        {
          offset: 1000,
          timestamp: 5_000_000_000_000,
          key: Buffer.from('k'),
          value: Buffer.from('v'),
          headers: [
            ['a', Buffer.from('b')],
            ['c', null],
          ],
        },
        {
          offset: 1001,
          timestamp: 4_000_000_000_000,
          key: null,
          value: Buffer.from('x'.repeat(300)),
          headers: [],
        },
        { offset: 1007, timestamp: 5_000_000_000_000, key: Buffer.alloc(0), value: null, headers: [] },
      ])
    },
  )

  it('read what the encoder of kafkajs writes', async () => {
    const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0')
    const Record = require('kafkajs/src/protocol/recordBatch/record/v0')
    const encoded = await RecordBatch({
      compression: 1,
      firstTimestamp: 1_700_000_000_000,
      maxTimestamp: 1_700_000_000_005,
      producerId: 7,
      producerEpoch: 0,
      transactional: true,
      firstSequence: 0,
      partitionLeaderEpoch: 0,
      lastOffsetDelta: 0,
      records: [Record({ offsetDelta: 0, timestampDelta: 5, key: 'k', value: 'v', headers: { h: 'x' } })],
    })
    const [batch] = [...readBatches(encoded.buffer)]
    expect(batch).toMatchObject({
      producerId: 7n,
      isTransactional: true,
      isControl: false,
      compression: 'gzip',
    })
    expect(await readRecords(batch!)).toEqual([
      {
        offset: 0,
        timestamp: 1_700_000_000_005,
        key: Buffer.from('k'),
        value: Buffer.from('v'),
        headers: [['h', Buffer.from('x')]],
      },
    ])
  })

  it("take the broker's append time where the topic says so", async () => {
    const [record] = await only(
      makeBatch({ baseOffset: 0, appendTime: 42_000, records: [{ value: 'v', timestamp: 1000 }] }),
    )
    expect(record?.timestamp).toBe(42_000)
  })

  it('leave out a batch that is cut off', () => {
    const whole = makeBatch({ baseOffset: 0, records: [{ value: 'a' }] })
    const cut = makeBatch({ baseOffset: 1, records: [{ value: 'b' }] }).subarray(0, -1)
    expect([...readBatches(Buffer.concat([whole, cut]))]).toHaveLength(1)
    expect([...readBatches(whole.subarray(0, 5))]).toHaveLength(0)
  })

  it('refuse a batch whose bytes have changed', () => {
    const bytes = makeBatch({ baseOffset: 0, records: [{ value: 'a' }] })
    bytes[bytes.length - 2]! ^= 1
    expect(() => [...readBatches(bytes)]).toThrow('Its checksum does not fit')
  })

  it('tell markers apart', async () => {
    for (const type of ['abort', 'commit'] as const) {
      const [batch] = [...readBatches(makeMarker(3, 1, type))]
      expect(await readMarker(batch!)).toBe(type)
    }
  })
})

describe('readAnswer', () => {
  async function values(
    batches: Buffer[],
    abortedTransactions: { producerId: bigint; firstOffset: number }[],
    from = 0,
    to = 1000,
  ): Promise<{ seen: string[]; next: number }> {
    const seen: string[] = []
    const records = Buffer.concat(batches)
    const next = await readAnswer({ abortedTransactions, records }, from, to, ({ value }) =>
      seen.push(String(value)),
    )
    return { seen, next }
  }
  const transactional = (baseOffset: number, producerId: number, value: string) =>
    makeBatch({ baseOffset, producerId, transactional: true, records: [{ value }] })

  it('leaves out overlapping aborted transactions, listed in any order', async () => {
    const batches = [
      transactional(0, 1, 'a1'),
      transactional(1, 2, 'a2'),
      makeMarker(2, 1, 'abort'),
      transactional(3, 1, 'c1'),
      transactional(4, 2, 'a3'),
      makeMarker(5, 1, 'commit'),
      makeMarker(6, 2, 'abort'),
      transactional(7, 2, 'c2'),
      makeMarker(8, 2, 'commit'),
    ]
    const aborted = [
      { producerId: 2n, firstOffset: 1 },
      { producerId: 1n, firstOffset: 0 },
    ]
    expect(await values(batches, aborted)).toEqual({ seen: ['c1', 'c2'], next: 9 })
  })

  it('leaves out the second of two aborted transactions of one producer, and not what lies between', async () => {
    const batches = [
      transactional(0, 1, 'a'),
      makeMarker(1, 1, 'abort'),
      transactional(2, 1, 'b'),
      makeMarker(3, 1, 'commit'),
      transactional(4, 1, 'c'),
      makeMarker(5, 1, 'abort'),
    ]
    const aborted = [
      { producerId: 1n, firstOffset: 0 },
      { producerId: 1n, firstOffset: 4 },
    ]
    expect((await values(batches, aborted)).seen).toEqual(['b'])
  })

  it('begins in the midst of an aborted transaction', async () => {
    const batches = [transactional(5, 1, 'a'), makeMarker(6, 1, 'abort'), transactional(7, 2, 'c')]
    expect((await values(batches, [{ producerId: 1n, firstOffset: 2 }], 5)).seen).toEqual(['c'])
  })

  it('does not take a data record with a key of four zero bytes for a marker', async () => {
    const key = '\0\0\0\0'
    const data = makeBatch({
      baseOffset: 1,
      producerId: 1,
      transactional: true,
      records: [{ key, value: 'a' }],
    })
    const batches = [transactional(0, 1, 'a'), data, transactional(2, 1, 'a'), makeMarker(3, 1, 'abort')]
    expect((await values(batches, [{ producerId: 1n, firstOffset: 0 }])).seen).toEqual([])
  })

  it('passes the last offset of a batch that compaction has emptied', async () => {
    const empty = makeBatch({
      baseOffset: 4,
      records: [],
      lastOffsetDelta: 5,
      producerId: 1,
      compression: 'zstd',
    })
    expect(await values([empty], [])).toEqual({ seen: [], next: 10 })
  })

  it('gives only what lies in the range', async () => {
    const batch = makeBatch({ baseOffset: 0, records: ['a', 'b', 'c', 'd'].map((value) => ({ value })) })
    expect((await values([batch], [], 1, 3)).seen).toEqual(['b', 'c'])
  })
})
