import { CodedError } from '../../errors.ts'
import type { Header, RecordView } from '../../ports/kafka.ts'
import { timestampLimit } from './batch-format.ts'

/** What the cursor must know of a batch to read its records. */
export interface RecordsOfBatch {
  /** The records, not compressed, are `bytes` from `start` to `end`. */
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  readonly recordCount: number
  readonly baseOffset: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: bigint
  /** The timestamp of all records where the broker sets it (LogAppendTime), else null. */
  readonly appendTimestamp: number | null
}

const nothing = Buffer.alloc(0)

/** What `shortVarint` gives for a varint of more than two bytes, or one that is cut off. */
const notShort = -0x8000_0000

/**
 * Walks the records of one batch after the other, being itself the view of the record it stands on. This is the innermost loop
 * of all reading: it allocates nothing, and takes the short way for numbers of one or two bytes.
 *
 * Every record is checked before it is shown: its fields fill its length exactly, and its offset is above the one before and
 * within the batch.
 */
export class RecordCursor implements RecordView {
  offset = 0
  timestamp = 0
  bytes: Buffer = nothing
  keyStart = -1
  keyEnd = -1
  valueStart = -1
  valueEnd = -1
  private headersStart = 0

  private readonly topic: string
  private readonly partition: number
  private at = 0
  private end = 0
  private recordsLeft = 0
  private baseOffset = 0
  private lastDelta = -1
  private maxDelta = 0
  private baseTimestamp = 0
  private exactBaseTimestamp = 0n
  /** Whether the deltas count, and added to the base stay exact in doubles. */
  private shortTimestamps = true
  private appendTimestamp: number | null = null

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  enter(batch: RecordsOfBatch): void {
    this.bytes = batch.bytes
    this.at = batch.start
    this.end = batch.end
    this.recordsLeft = batch.recordCount
    this.baseOffset = batch.baseOffset
    this.lastDelta = -1
    this.maxDelta = batch.lastOffsetDelta
    this.appendTimestamp = batch.appendTimestamp === null ? null : withinLimit(batch.appendTimestamp)
    this.exactBaseTimestamp = batch.baseTimestamp
    this.baseTimestamp = Number(this.exactBaseTimestamp)
    this.shortTimestamps = batch.appendTimestamp === null && Math.abs(this.baseTimestamp) < timestampLimit / 2
  }

  /** Lets go of the batch's bytes. */
  leave(): void {
    this.bytes = nothing
    this.at = 0
    this.end = 0
    this.recordsLeft = 0
  }

  /** Moves to the next record of the batch; false if there is none. Throws CORRUPT_BATCH. */
  advance(): boolean {
    if (this.recordsLeft === 0) {
      if (this.at !== this.end) throw this.broken('There are bytes behind the last record.')
      return false
    }
    this.recordsLeft--
    const bytes = this.bytes
    let at = this.at

    let bodyBytes = shortVarint(bytes, at)
    if (bodyBytes === notShort) {
      bodyBytes = this.longVarint(at)
      at = this.at
    } else at += shortVarintBytes(bytes, at)
    const end = at + bodyBytes
    if (!(bodyBytes > 0 && end <= this.end)) throw this.broken('A record is longer than its batch.')

    // The byte of attributes says nothing.
    at++
    const timestampDelta = this.shortTimestamps ? shortVarint(bytes, at) : notShort
    if (timestampDelta === notShort) {
      this.timestamp = this.longTimestamp(at)
      at = this.at
    } else {
      this.timestamp = this.baseTimestamp + timestampDelta
      at += shortVarintBytes(bytes, at)
    }

    let delta = shortVarint(bytes, at)
    if (delta === notShort) {
      delta = this.longVarint(at)
      at = this.at
    } else at += shortVarintBytes(bytes, at)
    if (!(delta > this.lastDelta && delta <= this.maxDelta)) throw this.broken('An offset is out of order.')
    this.lastDelta = delta
    this.offset = this.baseOffset + delta

    this.readFields(at, end)
    return true
  }

  /** The key, the value and the headers, which begin at `start` and must stop at `end`. */
  private readFields(start: number, end: number): void {
    const bytes = this.bytes
    let at = start
    let keyLength = shortVarint(bytes, at)
    if (keyLength === notShort) {
      keyLength = this.longVarint(at)
      at = this.at
    } else at += shortVarintBytes(bytes, at)
    this.keyStart = keyLength < 0 ? -1 : at
    if (keyLength > 0) at += keyLength
    this.keyEnd = keyLength < 0 ? -1 : at

    let valueLength = shortVarint(bytes, at)
    if (valueLength === notShort) {
      valueLength = this.longVarint(at)
      at = this.at
    } else at += shortVarintBytes(bytes, at)
    this.valueStart = valueLength < 0 ? -1 : at
    if (valueLength > 0) at += valueLength
    this.valueEnd = valueLength < 0 ? -1 : at
    if (keyLength < -1 || valueLength < -1) throw this.broken('A length is negative.')

    this.headersStart = at
    this.at = at
    if (bytes[at] === 0) this.at = at + 1
    else this.skipHeaders(end)
    if (this.at !== end) throw this.broken('The fields of a record do not fill its length.')
  }

  key(): Buffer | null {
    return this.keyStart < 0 ? null : this.bytes.subarray(this.keyStart, this.keyEnd)
  }

  value(): Buffer | null {
    return this.valueStart < 0 ? null : this.bytes.subarray(this.valueStart, this.valueEnd)
  }

  headers(): Header[] {
    const next = this.at
    this.at = this.headersStart
    const headers: Header[] = []
    for (let left = this.varint(); left > 0; left--) {
      const nameLength = this.varint()
      const name = this.bytes.toString('utf8', this.at, this.at + nameLength)
      this.at += nameLength
      const valueLength = this.varint()
      if (valueLength < 0) {
        headers.push([name, null])
      } else {
        headers.push([name, this.bytes.subarray(this.at, this.at + valueLength)])
        this.at += valueLength
      }
    }
    this.at = next
    return headers
  }

  private skipHeaders(end: number): void {
    const count = this.varint()
    if (count < 0) throw this.broken('A number of headers is negative.')
    for (let left = count; left > 0; left--) {
      const nameLength = this.varint()
      if (nameLength < 0) throw this.broken('The name of a header has a negative length.')
      this.at += nameLength
      const valueLength = this.varint()
      if (valueLength < -1) throw this.broken('The value of a header has a negative length.')
      if (valueLength > 0) this.at += valueLength
      if (this.at > end) throw this.broken('A header is longer than its record.')
    }
  }

  private varint(): number {
    return this.longVarint(this.at)
  }

  /** A varint of any length; leaves `at` behind it. */
  private longVarint(start: number): number {
    let zigzag = 0
    let at = start
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[at++]
      if (byte === undefined) throw this.broken('A number is cut off.')
      zigzag |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.at = at
        return (zigzag >>> 1) ^ -(zigzag & 1)
      }
    }
    throw this.broken('A number takes more than five bytes.')
  }

  /** A timestamp by its delta of any length; leaves `at` behind it. */
  private longTimestamp(start: number): number {
    const bytes = this.bytes
    let at = start
    if (this.appendTimestamp !== null) {
      while ((bytes[at] as number) >= 0x80) at++
      this.at = at + 1
      return this.appendTimestamp
    }
    if (!this.shortTimestamps) return this.exactTimestamp(start)
    let zigzag = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = bytes[at++] as number
      zigzag |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.at = at
        return this.baseTimestamp + ((zigzag >>> 1) ^ -(zigzag & 1))
      }
    }
    // Seven bytes hold 49 bits, which added to a short base stay exact.
    for (let factor = 2 ** 28; at < start + 7; factor *= 0x80) {
      const byte = bytes[at++] as number
      zigzag += (byte & 0x7f) * factor
      if (byte < 0x80) {
        this.at = at
        return this.baseTimestamp + (zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2)
      }
    }
    return this.exactTimestamp(start)
  }

  /** The way for timestamps that no sane clock gives. */
  private exactTimestamp(start: number): number {
    let zigzag = 0n
    this.at = start
    for (let shift = 0n; ; shift += 7n) {
      if (shift === 70n) throw this.broken('A timestamp takes more than ten bytes.')
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw this.broken('A timestamp is cut off.')
      zigzag |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    const delta = (zigzag >> 1n) ^ -(zigzag & 1n)
    return withinLimit(Number(BigInt.asIntN(64, this.exactBaseTimestamp + delta)))
  }

  private broken(detail: string): CodedError {
    // Whoever goes on all the same must not get what follows the damage.
    this.recordsLeft = 0
    this.at = this.end + 1
    return new CodedError('CORRUPT_BATCH', {
      operation: 'read records',
      topic: this.topic,
      partition: this.partition,
      offset: this.baseOffset + this.lastDelta + 1,
      detail,
    })
  }
}

function withinLimit(timestamp: number): number {
  return Math.max(-timestampLimit, Math.min(timestampLimit, timestamp))
}

/**
 * A varint of one or two bytes, else `notShort`. A read past the end gives `undefined`, which is not below anything, and so
 * `notShort` too.
 */
function shortVarint(bytes: Buffer, at: number): number {
  const first = bytes[at] as number
  if (first < 0x80) return (first >>> 1) ^ -(first & 1)
  const second = bytes[at + 1] as number
  if (second < 0x80) return (((first & 0x7f) | (second << 7)) >>> 1) ^ -(first & 1)
  return notShort
}

/** How many bytes a varint takes that `shortVarint` could read. */
function shortVarintBytes(bytes: Buffer, at: number): number {
  return (bytes[at] as number) < 0x80 ? 1 : 2
}
