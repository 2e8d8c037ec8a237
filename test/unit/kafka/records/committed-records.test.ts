import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import { batchAt } from '../../../../src/kafka/records/batch-format.ts'
import { compress, decompress } from '../../../../src/kafka/records/compression.ts'
import {
  batchOf,
  compressions,
  emptied,
  fetched,
  marker,
  type NewRecord,
  newRecord,
  plain,
  readAll,
  rewritten,
} from './record-bytes.ts'

const require = createRequire(import.meta.url)
const kafkajsRecordBatch = require('kafkajs/src/protocol/recordBatch/v0').RecordBatch
const kafkajsRecord = require('kafkajs/src/protocol/recordBatch/record/v0')

const simple = (value: string): NewRecord => ({
  key: null,
  value: Buffer.from(value),
  timestamp: 5,
  headers: [],
})
const corrupt = expect.objectContaining({ code: 'CORRUPT_BATCH' })

test('reads what kafkajs encodes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(newRecord, { minLength: 1, maxLength: 20 }), async (records) => {
      // kafkajs keeps headers in an object and has no null values for them.
      const plainHeaders = records.map((record, index) => ({
        ...record,
        headers: [[`h${index}`, Buffer.from('v')] as const],
      }))
      const base = plainHeaders[0]!.timestamp
      const batch = await kafkajsRecordBatch({
        firstTimestamp: base,
        maxTimestamp: Math.max(...plainHeaders.map(({ timestamp }) => timestamp)),
        lastOffsetDelta: records.length - 1,
        records: plainHeaders.map(({ key, value, timestamp, headers }, offsetDelta) =>
          kafkajsRecord({
            offsetDelta,
            timestampDelta: timestamp - base,
            key,
            value,
            headers: Object.fromEntries(headers),
          }),
        ),
      })
      expect(readAll(fetched(batch.buffer))).toEqual(plainHeaders.map(plain))
    }),
    { numRuns: 60 },
  )
})

describe('positions', () => {
  test('an empty answer stays at the offset that was asked for', () => {
    const chunk = fetched(Buffer.alloc(0), { fetchOffset: 7, lastStableOffset: 7 })
    expect([chunk.recordCount, chunk.nextOffset, chunk.next()]).toEqual([0, 7, null])
  })

  test('records below the offset that was asked for are skipped', async () => {
    const batch = await batchOf([simple('a'), simple('b'), simple('c')], { baseOffset: 10 })
    expect(readAll(fetched(batch, { fetchOffset: 12 }))).toEqual([plain(simple('c'), 12)])
    // So is a whole batch, as long as there is something behind it.
    const two = Buffer.concat([batch, await batchOf([simple('d')], { baseOffset: 13 })])
    const chunk = fetched(two, { fetchOffset: 13 })
    expect(chunk.recordCount).toBe(1)
    expect(readAll(chunk)).toEqual([plain(simple('d'), 13)])
    expect(() => fetched(batch, { fetchOffset: 13 })).toThrow(corrupt)
  })

  test('empty batches that compaction has left are passed, also at the end', async () => {
    const full = await batchOf([simple('a')], { baseOffset: 0 })
    const empty = emptied(await batchOf([simple('b'), simple('c'), simple('d')], { baseOffset: 1 }))
    const chunk = fetched(Buffer.concat([full, empty]))
    expect(readAll(chunk)).toEqual([plain(simple('a'), 0)])
    expect(chunk.nextOffset).toBe(4)
    expect(fetched(empty, { fetchOffset: 2 }).nextOffset).toBe(4)
  })

  test('a batch keeps its end when compaction takes its last records', async () => {
    const batch = rewritten(await batchOf([simple('a')], { baseOffset: 5 }), (copy) =>
      copy.writeInt32BE(9, batchAt.lastOffsetDelta),
    )
    expect(fetched(batch, { fetchOffset: 5 }).nextOffset).toBe(15)
  })

  test('offsets beyond 32 bits are exact', async () => {
    const batch = await batchOf([simple('a'), simple('b')], { baseOffset: 2 ** 52 + 1 })
    expect(readAll(fetched(batch, { fetchOffset: 2 ** 52 })).map(({ offset }) => offset)).toEqual([
      2 ** 52 + 1,
      2 ** 52 + 2,
    ])
  })

  test('nothing at or beyond the last stable offset is shown', async () => {
    const batches = [
      await batchOf([simple('a'), simple('b')], { baseOffset: 0 }),
      await batchOf([simple('c')], { baseOffset: 2 }),
    ]
    const chunk = fetched(Buffer.concat(batches), { lastStableOffset: 2 })
    expect(readAll(chunk).map(({ offset }) => offset)).toEqual([0, 1])
    expect(chunk.nextOffset).toBe(2)
  })
})

describe('timestamps', () => {
  test('are the time of appending where the broker sets it', async () => {
    const records = [simple('a'), { ...simple('b'), timestamp: 2 ** 40 }]
    const batch = rewritten(await batchOf(records), (copy) => {
      copy.writeInt16BE(0x08, batchAt.attributes)
      copy.writeBigInt64BE(1_700_000_000_000n, batchAt.maxTimestamp)
    })
    expect(readAll(fetched(batch)).map(({ timestamp }) => timestamp)).toEqual([
      1_700_000_000_000, 1_700_000_000_000,
    ])
  })

  test('that no number can hold become the nearest limit, and those beside them stay exact', async () => {
    const records = [
      { ...simple('a'), timestamp: 0 },
      { ...simple('b'), timestamp: -7 },
    ]
    for (const [base, limit] of [
      [2n ** 63n - 1n, 2 ** 52],
      [-(2n ** 63n), -(2 ** 52)],
    ] as const) {
      const batch = rewritten(await batchOf(records), (copy) =>
        copy.writeBigInt64BE(base, batchAt.baseTimestamp),
      )
      expect(readAll(fetched(batch))[0]?.timestamp).toBe(limit)
    }
    // Base -2^51, and a delta of eight bytes that leads back to the present.
    const far = [
      { ...simple('a'), timestamp: -(2 ** 52) },
      { ...simple('b'), timestamp: 1_700_000_000_001 },
    ]
    expect(readAll(fetched(await batchOf(far))).map(({ timestamp }) => timestamp)).toEqual([
      -(2 ** 52),
      1_700_000_000_001,
    ])
  })
})

describe('damage', () => {
  test('a flipped bit is found, or cuts the answer off, and never gives a wrong record', async () => {
    const records = [simple('first'), { ...simple('second'), headers: [['h', Buffer.from('x')] as const] }]
    const good = await batchOf([simple('zero')], { baseOffset: 10 })
    for (const compression of ['none', 'lz4'] as const) {
      const batch = await batchOf(records, { baseOffset: 11, compression })
      const all = [plain(simple('zero'), 10), plain(records[0]!, 11), plain(records[1]!, 12)]
      const both = Buffer.concat([good, batch])
      let found = 0
      for (let bit = 0; bit < both.length * 8; bit++) {
        const byte = Math.floor(bit / 8)
        const at = byte < good.length ? byte : byte - good.length
        // The checksum does not cover these: the base offset is checked by its order alone, the epoch is of no use here.
        if (at < batchAt.length || (at >= batchAt.leaderEpoch && at < batchAt.magic)) continue
        const damaged = Buffer.from(both)
        damaged[byte]! ^= 1 << (bit % 8)
        try {
          const chunk = fetched(damaged, { fetchOffset: 10 })
          const read = readAll(chunk)
          expect(read, `byte ${byte}`).toEqual(all.slice(0, 1))
          expect(chunk.nextOffset).toBe(11)
        } catch (error) {
          if (!(error instanceof CodedError)) throw error
          expect(error).toMatchObject({ code: 'CORRUPT_BATCH', details: { topic: 'logins', partition: 3 } })
          found++
        }
      }
      expect(found).toBeGreaterThan((both.length - 24 - 4) * 8 * 0.9)
    }
  })

  test('a damaged base offset never makes two batches overlap', async () => {
    const batches = [
      await batchOf([simple('a'), simple('b')], { baseOffset: 4 }),
      await batchOf([simple('c')], { baseOffset: 5 }),
    ]
    expect(() => fetched(Buffer.concat(batches))).toThrow(corrupt)
  })

  test('an answer cut off anywhere gives its whole batches; without one it is corrupt', async () => {
    const first = await batchOf([simple('a'), simple('b')], { baseOffset: 0 })
    const whole = Buffer.concat([first, await batchOf([simple('c')], { baseOffset: 2 })])
    for (let length = 1; length < whole.length; length++) {
      const cut = whole.subarray(0, length)
      if (length < first.length) {
        expect(() => fetched(cut)).toThrow(corrupt)
      } else {
        const chunk = fetched(cut)
        expect(readAll(chunk).map(({ offset }) => offset)).toEqual([0, 1])
        expect(chunk.nextOffset).toBe(2)
      }
    }
  })

  test('broken records under a right checksum are CORRUPT_BATCH with their place, and stay so', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(newRecord, { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (records, position, mask) => {
          const sane = records.map((record) => ({ ...record, value: record.value?.subarray(0, 40) ?? null }))
          const batch = await batchOf(sane, { baseOffset: 20 })
          const broken = rewritten(batch, (copy) => {
            copy[batchAt.records + (position % (copy.length - batchAt.records))]! ^= mask
          })
          const chunk = fetched(broken, { fetchOffset: 20 })
          try {
            // Whatever is shown lies inside the batch and has the records' offsets.
            const read = readAll(chunk)
            expect(read.length).toBe(records.length)
          } catch (error) {
            expect(error).toMatchObject({ code: 'CORRUPT_BATCH', details: { topic: 'logins', partition: 3 } })
            expect((error as CodedError).details.offset).toBeGreaterThanOrEqual(20)
            expect(() => chunk.next()).toThrow(corrupt)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('random bytes under a right checksum never read outside the batch, and never hang', async () => {
    const frame = await batchOf([simple('a'.repeat(60))])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (noise, count) => {
        const head = Buffer.concat([frame.subarray(0, batchAt.records), noise])
        head.writeInt32BE(head.length - batchAt.leaderEpoch, batchAt.length)
        head.writeInt32BE(100, batchAt.lastOffsetDelta)
        head.writeInt32BE(count, batchAt.recordCount)
        const batch = rewritten(head, () => undefined)
        try {
          for (const record of readAll(fetched(batch)))
            expect(record.value?.length ?? 0).toBeLessThanOrEqual(120)
        } catch (error) {
          expect(error).toMatchObject({ code: 'CORRUPT_BATCH' })
        }
      }),
    )
  })

  test('a record whose fields do not fill its length is CORRUPT_BATCH', async () => {
    const batch = await batchOf([simple('abc'), simple('abc')])
    for (const change of [-2, 2]) {
      const broken = rewritten(batch, (copy) => {
        copy[batchAt.records]! += change
      })
      expect(() => fetched(broken).next()).toThrow(corrupt)
    }
  })

  test('a batch in an older message format is named as such', async () => {
    const batch = await batchOf([simple('a')])
    batch[batchAt.magic] = 1
    expect(() => fetched(batch)).toThrow('message format 1')
  })

  test('an unknown compression and a stream that is none are CORRUPT_BATCH, again and again', async () => {
    for (const code of [1, 2, 3, 4, 5, 7]) {
      const batch = rewritten(await batchOf([simple('a')]), (copy) =>
        copy.writeInt16BE(code, batchAt.attributes),
      )
      const chunk = fetched(batch)
      expect(() => chunk.next(), `compression ${code}`).toThrow(corrupt)
      expect(() => chunk.next(), `compression ${code}`).toThrow(corrupt)
    }
  })
})

describe('compression', () => {
  test('nothing decompresses beyond the limit', async () => {
    const large = Buffer.alloc(300_000, 'abc')
    for (const compression of compressions) {
      if (compression === 'none') continue
      const small = await compress(compression, large)
      expect(small.length).toBeLessThan(large.length / 10)
      expect(decompress(compression, small, 400_000).equals(large)).toBe(true)
      expect(() => decompress(compression, small, 200_000), compression).toThrow(RangeError)
    }
  })

  test("snappy is read in Java's frames of several blocks too", async () => {
    const pieces = [Buffer.alloc(40_000, 'ab'), Buffer.from('tail')]
    const blocks = await Promise.all(pieces.map((piece) => compress('snappy', piece)))
    const lengths = blocks.map(({ length }) => Buffer.from([0, 0, length >> 8, length & 0xff]))
    const header = Buffer.from('82534e41505059000000000100000001', 'hex')
    const frame = Buffer.concat([header, lengths[0]!, blocks[0]!, lengths[1]!, blocks[1]!])
    expect(decompress('snappy', frame).equals(Buffer.concat(pieces))).toBe(true)
    expect(() => decompress('snappy', frame.subarray(0, frame.length - 1))).toThrow(RangeError)
  })
})

describe('transactions', () => {
  test('a data record whose key looks like an abort marker ends nothing', async () => {
    const lookalike = { ...simple('aborted'), key: Buffer.alloc(4) }
    const batches = [
      await batchOf([lookalike], { baseOffset: 0, producerId: 1n, transactional: true }),
      await batchOf([simple('aborted too')], { baseOffset: 1, producerId: 1n, transactional: true }),
      await marker(2, 1n, 0),
      await batchOf([lookalike], { baseOffset: 3, producerId: 1n, transactional: true }),
      await marker(4, 1n, 1),
    ]
    const chunk = fetched(Buffer.concat(batches), {
      abortedTransactions: [{ producerId: 1n, firstOffset: 0 }],
    })
    expect(readAll(chunk)).toEqual([plain(lookalike, 3)])
    expect(chunk.nextOffset).toBe(5)
  })

  test('markers alone move the position', async () => {
    const chunk = fetched(Buffer.concat([await marker(8, 1n, 1), await marker(9, 2n, 0)]), { fetchOffset: 8 })
    expect([chunk.recordCount, chunk.next(), chunk.nextOffset]).toEqual([0, null, 10])
  })

  test('an aborted producer may still write outside transactions', async () => {
    const batches = [
      await batchOf([simple('aborted')], { baseOffset: 0, producerId: 1n, transactional: true }),
      await batchOf([simple('plain')], { baseOffset: 1, producerId: 1n }),
      await marker(2, 1n, 0),
    ]
    const chunk = fetched(Buffer.concat(batches), {
      abortedTransactions: [{ producerId: 1n, firstOffset: 0 }],
    })
    expect(readAll(chunk)).toEqual([plain(simple('plain'), 1)])
  })
})
