/** What a broker does with the bytes of record batches: reads their heads, writes markers, leaves out records. */
import { crc32c } from '../../../src/bytes/crc32c.ts'
import {
  attribute,
  batchAt,
  batchLengthOverhead,
  readInt64,
} from '../../../src/kafka/records/batch-format.ts'

export interface StoredBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly bytes: Buffer
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly lastSequence: number
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly isCompressed: boolean
  readonly recordCount: number
}

export function storedBatch(bytes: Buffer): StoredBatch {
  const baseOffset = readInt64(bytes, batchAt.baseOffset)
  const attributes = bytes.readInt16BE(batchAt.attributes)
  const lastOffsetDelta = bytes.readInt32BE(batchAt.lastOffsetDelta)
  const baseSequence = bytes.readInt32BE(batchAt.baseSequence)
  return {
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    bytes,
    producerId: bytes.readBigInt64BE(batchAt.producerId),
    producerEpoch: bytes.readInt16BE(batchAt.producerEpoch),
    baseSequence,
    lastSequence: baseSequence < 0 ? -1 : (baseSequence + lastOffsetDelta) % 2 ** 31,
    isTransactional: (attributes & attribute.transactional) !== 0,
    isControl: (attributes & attribute.control) !== 0,
    isCompressed: (attributes & attribute.compressionMask) !== 0,
    recordCount: bytes.readInt32BE(batchAt.recordCount),
  }
}

/** A copy of a produced batch with its offset in the log. */
export function placed(batch: Buffer, baseOffset: number): StoredBatch {
  const bytes = Buffer.from(batch)
  bytes.writeBigInt64BE(BigInt(baseOffset), batchAt.baseOffset)
  return storedBatch(bytes)
}

export function hasGoodChecksum(batch: Buffer): boolean {
  if (batch.length < batchAt.records) return false
  return crc32c(batch.subarray(batchAt.attributes)) === batch.readUInt32BE(batchAt.crc)
}

/** The latest timestamp of a batch, as its producer says. */
export function maxTimestamp(batch: Buffer): number {
  return readInt64(batch, batchAt.maxTimestamp)
}

/** What all control batches of one kind have in common. */
const markers = { commit: blankMarker(1), abort: blankMarker(0) }

function blankMarker(type: 0 | 1): Buffer {
  // Length 16, attributes, deltas, key (4 bytes: version, type), value (6 bytes: version, coordinator epoch), no headers.
  const record = Buffer.from([32, 0, 0, 0, 8, 0, 0, 0, type, 12, 0, 0, 0, 0, 0, 0, 0])
  const bytes = Buffer.alloc(batchAt.records + record.length)
  bytes.writeInt8(2, batchAt.magic)
  bytes.writeInt16BE(attribute.transactional | attribute.control, batchAt.attributes)
  bytes.writeInt32BE(-1, batchAt.baseSequence)
  bytes.writeInt32BE(1, batchAt.recordCount)
  record.copy(bytes, batchAt.records)
  return bytes
}

/** A control batch that ends a transaction. */
export function markerBatch(
  baseOffset: number,
  producer: { producerId: bigint; producerEpoch: number; commit: boolean; timestamp: number },
): StoredBatch {
  const bytes = Buffer.from(producer.commit ? markers.commit : markers.abort)
  const timestamp = BigInt(producer.timestamp)
  bytes.writeBigInt64BE(BigInt(baseOffset), batchAt.baseOffset)
  bytes.writeBigInt64BE(timestamp, batchAt.baseTimestamp)
  bytes.writeBigInt64BE(timestamp, batchAt.maxTimestamp)
  bytes.writeBigInt64BE(producer.producerId, batchAt.producerId)
  bytes.writeInt16BE(producer.producerEpoch, batchAt.producerEpoch)
  return storedBatch(sealed(bytes))
}

/** Of the whole batch, by its own checksum and what that leaves out. */
export function fingerprintOf(bytes: Buffer): number {
  return bytes.readInt32BE(batchAt.crc) ^ bytes.readInt32BE(batchAt.baseOffset + 4)
}

/** One record within a batch: its own bytes, and what compaction asks of it. */
export interface RecordPart {
  readonly offset: number
  readonly key: Buffer | null
  readonly hasValue: boolean
  readonly bytes: Buffer
}

/** The records of an uncompressed batch. */
export function recordsIn(batch: StoredBatch): RecordPart[] {
  const { bytes, recordCount, baseOffset } = batch
  const parts: RecordPart[] = []
  let at: number = batchAt.records
  const varint = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] as number
      value += (byte & 0x7f) * factor
      if (byte < 0x80) break
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
  for (let left = recordCount; left > 0; left--) {
    const start = at
    const length = varint()
    const end = at + length
    at += 1
    varint()
    const offset = baseOffset + varint()
    const keyLength = varint()
    const key = keyLength < 0 ? null : bytes.subarray(at, at + keyLength)
    at += Math.max(0, keyLength)
    const hasValue = varint() >= 0
    parts.push({ offset, key, hasValue, bytes: bytes.subarray(start, end) })
    at = end
  }
  return parts
}

/** The batch with those records alone; its offsets and its last sequence stay. */
export function withRecords(batch: StoredBatch, records: readonly RecordPart[]): StoredBatch {
  const head = Buffer.from(batch.bytes.subarray(0, batchAt.records))
  head.writeInt32BE(records.length, batchAt.recordCount)
  return storedBatch(sealed(Buffer.concat([head, ...records.map(({ bytes }) => bytes)])))
}

function sealed(bytes: Buffer): Buffer {
  bytes.writeInt32BE(bytes.length - batchLengthOverhead, batchAt.length)
  bytes.writeUInt32BE(crc32c(bytes.subarray(batchAt.attributes)), batchAt.crc)
  return bytes
}
