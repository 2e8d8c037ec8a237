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

/**
 * Walks the records of one batch after the other, being itself the view of the record it stands on. This is the innermost loop
 * of all reading: it allocates nothing, and takes the short way for numbers of one or two bytes.
 *
 * Every record is checked before it is shown: its fields fill its length exactly, and its offset is above the one before and
 * within the batch. A read past the end of the bytes gives `undefined`, which no comparison takes for a short varint,
 * so that it ends in `longVarint`, which throws.
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
  /** Whether base timestamp plus a short delta stays exact. */
  private plainTimestamps = true
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
    this.plainTimestamps = Math.abs(this.baseTimestamp) < timestampLimit / 2
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
    const bodyBytes = this.varint()
    const end = this.at + bodyBytes
    if (!(bodyBytes > 0 && end <= this.end)) throw this.broken('A record is longer than its batch.')
    this.at++
    this.timestamp = this.readTimestamp()
    const delta = this.varint()
    if (!(delta > this.lastDelta && delta <= this.maxDelta)) throw this.broken('An offset is out of order.')
    this.lastDelta = delta
    this.offset = this.baseOffset + delta

    const keyLength = this.varint()
    if (keyLength >= 0) {
      this.keyStart = this.at
      this.at += keyLength
      this.keyEnd = this.at
    } else {
      if (keyLength !== -1) throw this.broken('A key has a negative length.')
      this.keyStart = -1
      this.keyEnd = -1
    }
    const valueLength = this.varint()
    if (valueLength >= 0) {
      this.valueStart = this.at
      this.at += valueLength
      this.valueEnd = this.at
    } else {
      if (valueLength !== -1) throw this.broken('A value has a negative length.')
      this.valueStart = -1
      this.valueEnd = -1
    }
    this.headersStart = this.at
    const headerCount = this.varint()
    if (headerCount !== 0) this.skipHeaders(headerCount, end)
    if (this.at !== end) throw this.broken('The fields of a record do not fill its length.')
    return true
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

  private skipHeaders(headerCount: number, end: number): void {
    if (headerCount < 0) throw this.broken('A number of headers is negative.')
    for (let left = headerCount; left > 0; left--) {
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
    const bytes = this.bytes
    const at = this.at
    const first = bytes[at] as number
    if (first < 0x80) {
      this.at = at + 1
      return (first >>> 1) ^ -(first & 1)
    }
    const second = bytes[at + 1] as number
    if (second < 0x80) {
      this.at = at + 2
      const zigzag = (first & 0x7f) | (second << 7)
      return (zigzag >>> 1) ^ -(zigzag & 1)
    }
    return this.longVarint()
  }

  private longVarint(): number {
    let zigzag = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw this.broken('A number is cut off.')
      zigzag |= (byte & 0x7f) << shift
      if (byte < 0x80) return (zigzag >>> 1) ^ -(zigzag & 1)
    }
    throw this.broken('A number takes more than five bytes.')
  }

  private readTimestamp(): number {
    const bytes = this.bytes
    const at = this.at
    if (this.appendTimestamp !== null) {
      let last = at
      while ((bytes[last] as number) >= 0x80) last++
      this.at = last + 1
      return this.appendTimestamp
    }
    if (!this.plainTimestamps) return this.exactTimestamp()
    const first = bytes[at] as number
    if (first < 0x80) {
      this.at = at + 1
      return this.baseTimestamp + ((first >>> 1) ^ -(first & 1))
    }
    // Seven bytes hold 49 bits, which added to a plain base stay exact.
    let zigzag = 0
    for (let index = 0, factor = 1; index < 7; index++, factor *= 0x80) {
      const byte = bytes[at + index] as number
      zigzag += (byte & 0x7f) * factor
      if (byte < 0x80) {
        this.at = at + index + 1
        return this.baseTimestamp + (zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2)
      }
    }
    return this.exactTimestamp()
  }

  /** The way for timestamps that no sane clock gives. */
  private exactTimestamp(): number {
    let zigzag = 0n
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
