import fc from 'fast-check'
import { crc32c } from '../../../../src/bytes/crc32c.ts'
import { batchAt } from '../../../../src/kafka/records/batch-format.ts'
import { committedRecords, type FetchedPartition } from '../../../../src/kafka/records/committed-records.ts'
import type { Compression } from '../../../../src/kafka/records/compression.ts'
import { RecordBatchBuilder } from '../../../../src/kafka/records/record-batch-builder.ts'
import type { FetchedRecords, Header } from '../../../../src/ports/kafka.ts'

/** A record as plain data; bytes as hex, so that tests compare and print them easily. */
export interface PlainRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string | null])[]
}

export interface NewRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly headers: readonly Header[]
}

export const compressions: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))
const longBytes: fc.Arbitrary<Buffer> = fc.integer({ min: 0, max: 20_000 }).map((n) => Buffer.alloc(n, 'ab'))

const header: fc.Arbitrary<Header> = fc.tuple(
  fc.string({ unit: 'grapheme', maxLength: 70 }),
  fc.option<Buffer>(bytes(80)),
)

export const newRecord: fc.Arbitrary<NewRecord> = fc.record({
  key: fc.option(bytes(70)),
  value: fc.option(fc.oneof(bytes(300), longBytes)),
  timestamp: fc.oneof(
    fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
    fc.integer({ min: 0, max: 2 ** 42 }),
    fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
  ),
  headers: fc.array(header, { maxLength: 3 }),
})

export const plainProducer = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false }

export interface BatchShape {
  readonly baseOffset?: number
  readonly producerId?: bigint
  readonly transactional?: boolean
  readonly compression?: Compression
}

/** One record batch as a broker would store it. */
export async function batchOf(records: readonly NewRecord[], shape: BatchShape = {}): Promise<Buffer> {
  const builder = new RecordBatchBuilder({
    compression: shape.compression ?? 'none',
    maxBatchBytes: 2 ** 30,
  })
  for (const { key, value, timestamp, headers } of records) builder.append(key, value, timestamp, headers)
  const [built] = await builder.build({
    producerId: shape.producerId ?? -1n,
    producerEpoch: 0,
    baseSequence: 0,
    transactional: shape.transactional ?? false,
  })
  const batch = built!.batch
  batch.writeBigInt64BE(BigInt(shape.baseOffset ?? 0), batchAt.baseOffset)
  return batch
}

/** Changes the header of a batch and makes its checksum right again. */
export function rewritten(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(batch)
  change(copy)
  copy.writeUInt32BE(crc32c(copy.subarray(batchAt.attributes)), batchAt.crc)
  return copy
}

/** A control batch; type 0 aborts, 1 commits. */
export async function marker(baseOffset: number, producerId: bigint, type: number): Promise<Buffer> {
  const key = Buffer.from([0, 0, 0, type])
  const batch = await batchOf([{ key, value: Buffer.alloc(6), timestamp: 1, headers: [] }], {
    baseOffset,
    producerId,
    transactional: true,
  })
  return rewritten(batch, (copy) => copy.writeInt16BE(0x30, batchAt.attributes))
}

/** What compaction leaves of a batch all of whose records are gone. */
export function emptied(batch: Buffer): Buffer {
  const head = Buffer.from(batch.subarray(0, batchAt.records))
  head.writeInt32BE(head.length - batchAt.leaderEpoch, batchAt.length)
  return rewritten(head, (copy) => copy.writeInt32BE(0, batchAt.recordCount))
}

export function fetched(records: Buffer, more: Partial<FetchedPartition> = {}): FetchedRecords {
  return committedRecords({
    topic: 'logins',
    partition: 3,
    fetchOffset: 0,
    records,
    abortedTransactions: [],
    lastStableOffset: Number.MAX_SAFE_INTEGER,
    logStartOffset: 0,
    ...more,
  })
}

export function readAll(chunk: FetchedRecords): PlainRecord[] {
  const all: PlainRecord[] = []
  for (let record = chunk.next(); record !== null; record = chunk.next()) {
    all.push({
      offset: record.offset,
      timestamp: record.timestamp,
      key: hex(record.key()),
      value: hex(record.value()),
      headers: record.headers().map(([name, value]) => [name, hex(value)]),
    })
  }
  return all
}

export function plain(record: NewRecord, offset: number): PlainRecord {
  return {
    offset,
    timestamp: record.timestamp,
    key: hex(record.key),
    value: hex(record.value),
    headers: record.headers.map(([name, value]) => [name, hex(value)]),
  }
}

function hex(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString('hex')
}
