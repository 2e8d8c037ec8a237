/**
 * Record batches, format version 2, read the plain way.
 *
 *     base_offset i64, length i32 (of what follows), partition_leader_epoch i32, magic i8 = 2, crc u32 (CRC-32C of what follows),
 *     attributes i16, last_offset_delta i32, base_timestamp i64, max_timestamp i64, producer_id i64, producer_epoch i16,
 *     base_sequence i32, record count i32, records (compressed as one)
 *
 * attributes: bits 0-2 compression, bit 3 the broker's append time is the time of all records (max_timestamp), bit 4
 * transactional, bit 5 control. A compacted batch keeps its last_offset_delta, and may hold no records at all.
 *
 * A record: length varint, attributes i8, timestamp delta varlong, offset delta varint, key, value (varint length, -1: null),
 * count of headers varint, each a name and a value. Varints are zigzag.
 */
import { crc32c } from '@node-rs/crc32'
import { CodedError } from '../errors.ts'
import { type Compression, compressions, decompress } from './decompress.ts'

export interface RecordBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly producerId: bigint
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly appendTime: number | null
  readonly baseTimestamp: number
  readonly compression: Compression
  readonly recordCount: number
  readonly body: Buffer
}

export interface KafkaRecord {
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

const frameBytes = 12
const headerBytes = 61
const crcAt = 17
const attributesAt = 21
const lastOffsetDeltaAt = 23

/** The whole batches at the start of `bytes`; a cut-off one at its end is left out. Throws CORRUPT_BATCH. */
export function* readBatches(bytes: Buffer): Generator<RecordBatch> {
  for (let start = 0; start + frameBytes <= bytes.length; ) {
    const end = start + frameBytes + bytes.readInt32BE(start + 8)
    if (end > bytes.length) return
    yield readBatch(bytes.subarray(start, end))
    start = end
  }
}

/** Where to read on behind the whole batches of `bytes`; no less than `position`. They are not checked yet. */
export function endOfBatches(bytes: Buffer, position: number): number {
  let end = position
  for (let start = 0; start + frameBytes <= bytes.length; ) {
    const next = start + frameBytes + bytes.readInt32BE(start + 8)
    if (next > bytes.length) return end
    // Whoever reads this batch will say what is wrong with it.
    if (next < start + headerBytes) return Math.max(end, position + 1)
    end = Math.max(
      end,
      Number(bytes.readBigInt64BE(start)) + bytes.readInt32BE(start + lastOffsetDeltaAt) + 1,
    )
    start = next
  }
  return end
}

function readBatch(batch: Buffer): RecordBatch {
  const baseOffset = Number(batch.readBigInt64BE(0))
  if (batch.length < headerBytes || batch.readInt8(16) !== 2)
    throw corrupt(baseOffset, 'It has not the record format version 2.')
  if (crc32c(batch.subarray(attributesAt)) !== batch.readUInt32BE(crcAt))
    throw corrupt(baseOffset, 'Its checksum does not fit.')
  const attributes = batch.readInt16BE(attributesAt)
  const compression = compressions[attributes & 0b111]
  if (compression === undefined) throw corrupt(baseOffset, 'Its compression is unknown.')
  return {
    baseOffset,
    lastOffset: baseOffset + batch.readInt32BE(lastOffsetDeltaAt),
    producerId: batch.readBigInt64BE(43),
    isTransactional: (attributes & 0b1_0000) !== 0,
    isControl: (attributes & 0b10_0000) !== 0,
    appendTime: (attributes & 0b1000) === 0 ? null : Number(batch.readBigInt64BE(35)),
    baseTimestamp: Number(batch.readBigInt64BE(27)),
    compression,
    recordCount: batch.readInt32BE(57),
    body: batch.subarray(headerBytes),
  }
}

/** The records of a batch. Throws CORRUPT_BATCH. */
export async function readRecords(batch: RecordBatch): Promise<KafkaRecord[]> {
  try {
    const bytes = await decompress(batch.compression, batch.body)
    const cursor = new Cursor(bytes)
    return Array.from({ length: batch.recordCount }, () => readRecord(batch, cursor))
  } catch (error) {
    throw corrupt(batch.baseOffset, 'Its records cannot be read.', error)
  }
}

function readRecord(batch: RecordBatch, cursor: Cursor): KafkaRecord {
  const length = cursor.varint()
  const end = cursor.at + length
  cursor.at += 1 // The record's own attributes: none are defined.
  const timestamp = batch.baseTimestamp + cursor.varint()
  const offset = batch.baseOffset + cursor.varint()
  const key = cursor.bytes()
  const value = cursor.bytes()
  const headers: [string, Buffer | null][] = []
  for (let left = cursor.varint(); left > 0; left--)
    headers.push([cursor.bytes()?.toString() ?? '', cursor.bytes()])
  if (cursor.at !== end) throw new RangeError(`the record ends at ${cursor.at}, not at ${end}`)
  return { offset, timestamp: batch.appendTime ?? timestamp, key, value, headers }
}

/** The type of a control record's marker. */
export async function readMarker(batch: RecordBatch): Promise<'abort' | 'commit' | 'other'> {
  const [record] = await readRecords(batch)
  // Version i16, type i16. A marker that compaction has emptied says nothing any more.
  const type = record?.key?.readInt16BE(2)
  return type === 0 ? 'abort' : type === 1 ? 'commit' : 'other'
}

class Cursor {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Also a varlong, exact up to 2^53. */
  varint(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.at++]
      if (byte === undefined) throw new RangeError('the bytes end within a number')
      value += (byte & 0x7f) * factor
      if (byte < 0x80) break
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  bytes(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const start = this.at
    this.at += length
    if (this.at > this.#bytes.length) throw new RangeError('the bytes end within a field')
    return this.#bytes.subarray(start, this.at)
  }
}

function corrupt(offset: number, detail: string, cause?: unknown): CodedError {
  return new CodedError('CORRUPT_BATCH', { operation: 'read a record batch', offset, detail, cause })
}
