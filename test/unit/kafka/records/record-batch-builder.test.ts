import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchAt } from '../../../../src/kafka/records/batch-format.ts'
import { RecordBatchBuilder, sequenceAfter } from '../../../../src/kafka/records/record-batch-builder.ts'
import {
  compressions,
  fetched,
  type NewRecord,
  newRecord,
  plain,
  plainProducer,
  readAll,
} from './record-bytes.ts'

const require = createRequire(import.meta.url)
const KafkajsDecoder = require('kafkajs/src/protocol/decoder')
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder')

const simple = (value: string, timestamp = 5): NewRecord => ({
  key: null,
  value: Buffer.from(value),
  timestamp,
  headers: [],
})

function builderWith(
  records: readonly NewRecord[],
  options: ConstructorParameters<typeof RecordBatchBuilder>[0],
) {
  const builder = new RecordBatchBuilder(options)
  for (const { key, value, timestamp, headers } of records) builder.append(key, value, timestamp, headers)
  return builder
}

test('every record comes back as it was appended, whatever the compression and the batch boundaries', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(newRecord, { maxLength: 40 }),
      fc.constantFrom(...compressions),
      fc.constantFrom(100, 1000, 900_000),
      async (records, compression, maxBatchBytes) => {
        const builder = builderWith(records, { compression, maxBatchBytes })
        expect(builder.recordCount).toBe(records.length)
        const size = builder.sizeInBytes
        const batches = await builder.build(plainProducer)
        if (compression === 'none') {
          expect(batches.reduce((sum, { batch }) => sum + batch.length, 0)).toBe(size)
          for (const { batch, recordCount } of batches) {
            expect(recordCount === 1 || batch.length <= maxBatchBytes).toBe(true)
          }
        }
        let offset = 0
        for (const { batch, recordCount } of batches) {
          batch.writeBigInt64BE(BigInt(offset), batchAt.baseOffset)
          offset += recordCount
        }
        const chunk = fetched(Buffer.concat(batches.map(({ batch }) => batch)))
        expect(chunk.recordCount).toBe(records.length)
        expect(readAll(chunk)).toEqual(records.map(plain))
        expect(chunk.nextOffset).toBe(records.length)
      },
    ),
    { numRuns: 150 },
  )
})

test('the header tells producer, sequence, last offset and the largest timestamp', async () => {
  const records = [simple('a', 10), simple('b', 30), simple('c', 20)]
  const builder = builderWith(records, { compression: 'none' })
  const [built] = await builder.build({
    producerId: 2n ** 40n,
    producerEpoch: 7,
    baseSequence: 99,
    transactional: true,
  })
  const batch = built!.batch
  expect(batch.readInt32BE(batchAt.length)).toBe(batch.length - 12)
  expect(batch.readInt16BE(batchAt.attributes)).toBe(0x10)
  expect(batch.readInt32BE(batchAt.lastOffsetDelta)).toBe(2)
  expect(batch.readBigInt64BE(batchAt.baseTimestamp)).toBe(10n)
  expect(batch.readBigInt64BE(batchAt.maxTimestamp)).toBe(30n)
  expect(batch.readBigInt64BE(batchAt.producerId)).toBe(2n ** 40n)
  expect(batch.readInt16BE(batchAt.producerEpoch)).toBe(7)
  expect(batch.readInt32BE(batchAt.baseSequence)).toBe(99)
  expect(batch.readInt32BE(batchAt.recordCount)).toBe(3)
})

test('sequences go on from batch to batch and start again at 0 after 2^31 - 1', async () => {
  expect(sequenceAfter(2 ** 31 - 1, 1)).toBe(0)
  const builder = builderWith([simple('a'), simple('b'), simple('c')], {
    compression: 'none',
    maxBatchBytes: 1,
  })
  const batches = await builder.build({
    producerId: 1n,
    producerEpoch: 0,
    baseSequence: 2 ** 31 - 2,
    transactional: true,
  })
  expect(batches.map(({ batch }) => batch.readInt32BE(batchAt.baseSequence))).toEqual([
    2 ** 31 - 2,
    2 ** 31 - 1,
    0,
  ])
})

test('a producer without an id sends no sequence', async () => {
  const builder = builderWith([simple('a'), simple('b')], { compression: 'none', maxBatchBytes: 1 })
  const batches = await builder.build(plainProducer)
  expect(batches.map(({ batch }) => batch.readInt32BE(batchAt.baseSequence))).toEqual([-1, -1])
})

test('a record larger than a batch may be makes a batch of its own', async () => {
  const builder = builderWith([simple('a'), simple('x'.repeat(5000)), simple('b')], {
    compression: 'none',
    maxBatchBytes: 1000,
  })
  const batches = await builder.build(plainProducer)
  expect(batches.map(({ recordCount }) => recordCount)).toEqual([1, 1, 1])
})

test('a builder is built once, and takes no record afterwards', async () => {
  const builder = new RecordBatchBuilder({ compression: 'lz4' })
  expect(builder.sizeInBytes).toBe(0)
  expect(await builder.build(plainProducer)).toEqual([])
  await expect(builder.build(plainProducer)).rejects.toMatchObject({ code: 'INTERNAL' })
  expect(() => builder.append(null, null, 1)).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
})

test('ranges give the same bytes as buffers', async () => {
  const source = Buffer.from('..key..value..')
  const options = { compression: 'none' } as const
  const ranges = new RecordBatchBuilder(options)
  ranges.appendRange(source, 2, 5, source, 7, 12, 1, [['h', null]])
  ranges.appendRange(source, -1, -1, source, 3, 3, 2)
  ranges.appendRange(source, 3, 3, source, -1, -1, 2)
  const buffers = new RecordBatchBuilder(options)
  buffers.append(Buffer.from('key'), Buffer.from('value'), 1, [['h', null]])
  buffers.append(null, Buffer.alloc(0), 2)
  buffers.append(Buffer.alloc(0), null, 2)
  const [a] = await ranges.build(plainProducer)
  const [b] = await buffers.build(plainProducer)
  expect(a!.batch.equals(b!.batch)).toBe(true)
})

test('a range outside its bytes and a timestamp that is none are refused, and leave the builder as it was', async () => {
  const builder = builderWith([simple('a')], { compression: 'none' })
  const source = Buffer.alloc(4)
  expect(() => builder.appendRange(source, 0, 5, source, 0, 1, 1)).toThrow(RangeError)
  expect(() => builder.appendRange(source, 0, 1, source, 3, 2, 1)).toThrow(RangeError)
  for (const wrong of [Number.NaN, 0.5, 2 ** 53]) {
    expect(() => builder.append(null, null, wrong)).toThrow(RangeError)
  }
  const [built] = await builder.build(plainProducer)
  expect(readAll(fetched(built!.batch))).toEqual([plain(simple('a'), 0)])
})

test('kafkajs decodes the same records', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(newRecord, { minLength: 1, maxLength: 20 }), async (records) => {
      const [built] = await builderWith(records, { compression: 'none', maxBatchBytes: 2 ** 30 }).build(
        plainProducer,
      )
      const decoded = await decodeBatch(new KafkajsDecoder(built!.batch))
      expect(decoded.records.length).toBe(records.length)
      for (const [index, record] of records.entries()) {
        const other = decoded.records[index]
        expect(other.offset).toBe(String(index))
        expect(Number(other.timestamp)).toBe(record.timestamp)
        expect(other.key === null ? null : other.key.toString('hex')).toBe(
          record.key?.toString('hex') ?? null,
        )
        expect(other.value === null ? null : other.value.toString('hex')).toBe(
          record.value?.toString('hex') ?? null,
        )
      }
    }),
    { numRuns: 60 },
  )
})
