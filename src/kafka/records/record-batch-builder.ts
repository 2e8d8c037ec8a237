import { crc32c } from '../../bytes/crc32c.ts'
import { ByteWriter } from '../../bytes/varint.ts'
import { CodedError } from '../../errors.ts'
import type { Header, RecordAppender } from '../../ports/kafka.ts'
import { attribute, batchAt, batchLengthOverhead, magicV2, timestampLimit } from './batch-format.ts'
import { type Compression, compress, compressionCode } from './compression.ts'
import { varintSize, varlongSize, writeVarint, writeVarlong } from './record-varint.ts'

export interface RecordBatchBuilderOptions {
  readonly compression: Compression
  /** A batch is closed before it grows beyond this, uncompressed; a larger record makes a batch of its own. */
  readonly maxBatchBytes?: number
}

export interface BatchProducer {
  /** -1 for a producer without an id, whose batches carry no sequence. */
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Sequence number of the first record. */
  readonly baseSequence: number
  readonly transactional: boolean
}

export interface BuiltBatch {
  readonly batch: Buffer
  readonly recordCount: number
}

/** Below the 1 MB that a topic accepts by default, with room for a codec that makes its input larger. */
const defaultMaxBatchBytes = 900_000
const firstBufferBytes = 4096
/** From here on a native copy is faster than a loop. */
const nativeCopyBytes = 48

const nothing = Buffer.alloc(0)

/**
 * Records of one partition, encoded into record batches as they are appended.
 *
 * 1. A batch's buffer begins with room for the header; records go right behind it, so that an uncompressed batch is
 *    never copied again.
 * 2. The first record of a batch gives the base timestamp; offsets and timestamps are deltas to the first.
 * 3. `build` compresses, fills in the headers and sums up. It ends the builder's life: the batches are its memory.
 */
export class RecordBatchBuilder implements RecordAppender {
  private readonly compression: Compression
  private readonly maxBatchBytes: number
  private readonly closed: OpenBatch[] = []
  private open = new OpenBatch()
  private headers: ByteWriter | null = null
  private records = 0
  private closedBytes = 0
  private built = false

  constructor(options: RecordBatchBuilderOptions) {
    this.compression = options.compression
    this.maxBatchBytes = options.maxBatchBytes ?? defaultMaxBatchBytes
  }

  get recordCount(): number {
    return this.records
  }

  /** Bytes of all batches, uncompressed. */
  get sizeInBytes(): number {
    return this.records === 0 ? 0 : this.closedBytes + this.open.used
  }

  append(key: Buffer | null, value: Buffer | null, timestamp: number, headers?: readonly Header[]): void {
    this.appendRange(
      key ?? nothing,
      key === null ? -1 : 0,
      key === null ? -1 : key.length,
      value ?? nothing,
      value === null ? -1 : 0,
      value === null ? -1 : value.length,
      timestamp,
      headers,
    )
  }

  /** As `append`, with key and value as ranges of bytes; a start of -1 means null, as in `RecordView`. */
  appendRange(
    keyBytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueBytes: Buffer,
    valueStart: number,
    valueEnd: number,
    timestamp: number,
    headers?: readonly Header[],
  ): void {
    if (this.built)
      throw new CodedError('INTERNAL', { operation: 'append', detail: 'The batches are built.' })
    if (!(Math.abs(timestamp) <= timestampLimit && Number.isInteger(timestamp))) {
      throw new RangeError(`Not a timestamp: ${timestamp}`)
    }
    const keyLength = lengthOf(keyBytes, keyStart, keyEnd)
    const valueLength = lengthOf(valueBytes, valueStart, valueEnd)
    const headerBytes = headers === undefined || headers.length === 0 ? null : this.encodeHeaders(headers)

    // One byte for the attributes; everything here is the same whichever batch takes the record.
    const fixedBytes =
      1 +
      varintSize(keyLength) +
      (keyLength > 0 ? keyLength : 0) +
      varintSize(valueLength) +
      (valueLength > 0 ? valueLength : 0) +
      (headerBytes === null ? 1 : headerBytes.length)
    let bodyBytes = fixedBytes + this.open.deltaBytes(timestamp)
    let bytes = varintSize(bodyBytes) + bodyBytes
    if (this.open.count > 0 && this.open.used + bytes > this.maxBatchBytes) {
      this.closeBatch()
      bodyBytes = fixedBytes + this.open.deltaBytes(timestamp)
      bytes = varintSize(bodyBytes) + bodyBytes
    }

    const open = this.open
    open.reserve(bytes)
    const buffer = open.buffer
    let at = writeVarint(buffer, open.used, bodyBytes)
    buffer[at++] = 0
    at = open.writeDeltas(at, timestamp)
    at = writeVarint(buffer, at, keyLength)
    if (keyLength > 0) at = copy(keyBytes, keyStart, keyEnd, buffer, at)
    at = writeVarint(buffer, at, valueLength)
    if (valueLength > 0) at = copy(valueBytes, valueStart, valueEnd, buffer, at)
    if (headerBytes === null) buffer[at++] = 0
    else at = copy(headerBytes, 0, headerBytes.length, buffer, at)
    open.used = at
    this.records++
  }

  /** The batches in order, with base offset 0 each. Once only. */
  async build(producer: BatchProducer): Promise<BuiltBatch[]> {
    if (this.built) throw new CodedError('INTERNAL', { operation: 'build', detail: 'The batches are built.' })
    this.built = true
    if (this.open.count > 0) this.closeBatch()
    const batches: BuiltBatch[] = []
    let sequence = producer.baseSequence
    for (const batch of this.closed) {
      batches.push({
        batch: await batch.finish(this.compression, producer, sequence),
        recordCount: batch.count,
      })
      if (producer.producerId >= 0n) sequence = sequenceAfter(sequence, batch.count)
    }
    return batches
  }

  private closeBatch(): void {
    this.closed.push(this.open)
    this.closedBytes += this.open.used
    // The next batch will most likely fill up too.
    this.open = new OpenBatch(this.built ? 0 : Math.min(this.open.buffer.length, this.maxBatchBytes))
  }

  private encodeHeaders(headers: readonly Header[]): Buffer {
    this.headers ??= new ByteWriter()
    const writer = this.headers
    writer.reset()
    writer.writeVarint(headers.length)
    for (const [name, value] of headers) {
      writer.writeVarint(Buffer.byteLength(name))
      writer.writeUtf8(name)
      writer.writeVarint(value === null ? -1 : value.length)
      if (value !== null) writer.writeRaw(value)
    }
    return writer.view()
  }
}

/** The sequence number that follows `recordCount` records; Kafka counts from 0 again after 2^31 - 1. */
export function sequenceAfter(sequence: number, recordCount: number): number {
  return (sequence + recordCount) % 0x8000_0000
}

/** One batch: its buffer, with the header's room at the beginning, and what the header will say. */
class OpenBatch {
  buffer: Buffer
  used: number = batchAt.records
  count = 0
  private baseTimestamp = 0
  private maxTimestamp = 0

  constructor(bytes = firstBufferBytes) {
    this.buffer = Buffer.allocUnsafeSlow(Math.max(bytes, batchAt.records))
  }

  /** Bytes that the timestamp delta and the offset delta of the next record take. */
  deltaBytes(timestamp: number): number {
    return this.count === 0 ? 2 : varlongSize(timestamp - this.baseTimestamp) + varintSize(this.count)
  }

  writeDeltas(at: number, timestamp: number): number {
    if (this.count === 0) {
      this.baseTimestamp = timestamp
      this.maxTimestamp = timestamp
    } else if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
    return writeVarint(
      this.buffer,
      writeVarlong(this.buffer, at, timestamp - this.baseTimestamp),
      this.count++,
    )
  }

  reserve(bytes: number): void {
    const needed = this.used + bytes
    if (needed <= this.buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(grown, 0, 0, this.used)
    this.buffer = grown
  }

  /** Compressed, unless that makes it larger: what was measured to fit into a topic must still fit. */
  async #compressed(compression: Compression): Promise<{ batch: Buffer; used: Compression }> {
    const plain = this.buffer.subarray(0, this.used)
    if (compression === 'none') return { batch: plain, used: 'none' }
    const records = await compress(compression, plain.subarray(batchAt.records))
    if (batchAt.records + records.length >= plain.length) return { batch: plain, used: 'none' }
    const batch = Buffer.allocUnsafeSlow(batchAt.records + records.length)
    records.copy(batch, batchAt.records)
    this.buffer = nothing
    return { batch, used: compression }
  }

  async finish(compression: Compression, producer: BatchProducer, baseSequence: number): Promise<Buffer> {
    const { batch, used } = await this.#compressed(compression)
    batch.writeBigInt64BE(0n, batchAt.baseOffset)
    batch.writeInt32BE(batch.length - batchLengthOverhead, batchAt.length)
    batch.writeInt32BE(-1, batchAt.leaderEpoch)
    batch.writeInt8(magicV2, batchAt.magic)
    const attributes = compressionCode(used) | (producer.transactional ? attribute.transactional : 0)
    batch.writeInt16BE(attributes, batchAt.attributes)
    batch.writeInt32BE(this.count - 1, batchAt.lastOffsetDelta)
    batch.writeBigInt64BE(BigInt(this.baseTimestamp), batchAt.baseTimestamp)
    batch.writeBigInt64BE(BigInt(this.maxTimestamp), batchAt.maxTimestamp)
    batch.writeBigInt64BE(producer.producerId, batchAt.producerId)
    batch.writeInt16BE(producer.producerEpoch, batchAt.producerEpoch)
    batch.writeInt32BE(baseSequence, batchAt.baseSequence)
    batch.writeInt32BE(this.count, batchAt.recordCount)
    batch.writeUInt32BE(crc32c(batch.subarray(batchAt.attributes)), batchAt.crc)
    return batch
  }
}

/** The length of a range, or -1 for null. */
function lengthOf(bytes: Buffer, start: number, end: number): number {
  if (start < 0) return -1
  if (!(start <= end && end <= bytes.length)) {
    throw new RangeError(`Not a range of ${bytes.length} bytes: ${start} to ${end}`)
  }
  return end - start
}

/** Returns where the copy ends. */
function copy(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  if (end - start < nativeCopyBytes) {
    let to = at
    for (let from = start; from < end; from++) target[to++] = source[from] as number
    return to
  }
  source.copy(target, at, start, end)
  return at + end - start
}
