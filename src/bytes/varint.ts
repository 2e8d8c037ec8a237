/** What four bytes of a varint hold. */
const lowLimit = 2 ** 28

/**
 * A growing buffer for the project's own codecs. Numbers are big-endian, varints as in Protocol Buffers and Kafka:
 * seven bits a byte, the lowest first, the high bit set on all but the last; signed ones in zigzag.
 */
export class ByteWriter {
  private buffer: Buffer
  private used = 0

  constructor(initialBytes = 256) {
    this.buffer = Buffer.allocUnsafeSlow(Math.max(16, initialBytes))
  }

  /** Bytes written so far. */
  get length(): number {
    return this.used
  }

  /** Starts over in the same memory; views given out by `view` change from now on. */
  reset(): void {
    this.used = 0
  }

  /** What was written, as a view that the next write or `reset` may change. */
  view(): Buffer {
    return this.buffer.subarray(0, this.used)
  }

  /** What was written, as a copy. */
  toBuffer(): Buffer {
    return Buffer.from(this.view())
  }

  /** 0 to 2^53 - 1. */
  writeUVarint(value: number): void {
    if (!(value >= 0 && Number.isSafeInteger(value))) throw new RangeError(`Not an unsigned varint: ${value}`)
    this.reserve(8)
    let rest = value
    if (value >= lowLimit) {
      // Bitwise operators see 32 bits: the lowest four bytes first, then the rest as a number of its own.
      rest = Math.floor(value / lowLimit)
      let low = value - rest * lowLimit
      for (let left = 4; left > 0; left--) {
        this.buffer[this.used++] = (low & 0x7f) | 0x80
        low >>>= 7
      }
    }
    while (rest >= 0x80) {
      this.buffer[this.used++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.buffer[this.used++] = rest
  }

  /** Zigzag: -(2^53 - 1) to 2^53 - 1. */
  writeVarint(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`Not a varint: ${value}`)
    // The sign and the lowest six bits of the magnitude fill the first byte, so that nothing grows past 2^53.
    const negative = value < 0
    const magnitude = negative ? -(value + 1) : value
    const first = ((magnitude % 0x40) << 1) | (negative ? 1 : 0)
    if (magnitude < 0x40) {
      this.writeUInt8(first)
    } else {
      this.writeUInt8(first | 0x80)
      this.writeUVarint(Math.floor(magnitude / 0x40))
    }
  }

  writeUInt8(value: number): void {
    this.reserve(1)
    this.used = this.buffer.writeUInt8(value, this.used)
  }

  writeInt16(value: number): void {
    this.reserve(2)
    this.used = this.buffer.writeInt16BE(value, this.used)
  }

  writeInt32(value: number): void {
    this.reserve(4)
    this.used = this.buffer.writeInt32BE(value, this.used)
  }

  writeUInt32(value: number): void {
    this.reserve(4)
    this.used = this.buffer.writeUInt32BE(value, this.used)
  }

  writeInt64(value: bigint): void {
    this.reserve(8)
    this.used = this.buffer.writeBigInt64BE(value, this.used)
  }

  writeDouble(value: number): void {
    this.reserve(8)
    this.used = this.buffer.writeDoubleBE(value, this.used)
  }

  /** The bytes alone, of `source` from `start` (inclusive) to `end` (exclusive). */
  writeRaw(source: Uint8Array, start = 0, end = source.length): void {
    if (!(start >= 0 && start <= end && end <= source.length)) {
      throw new RangeError(`Not a range of ${source.length} bytes: ${start} to ${end}`)
    }
    this.reserve(end - start)
    if (end - start > 32) {
      this.buffer.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.used)
    } else {
      const { buffer } = this
      for (let at = start, to = this.used; at < end; at++, to++) buffer[to] = source[at] as number
    }
    this.used += end - start
  }

  /** The length as an unsigned varint, then the bytes. */
  writeBytes(source: Uint8Array, start = 0, end = source.length): void {
    this.writeUVarint(end - start)
    this.writeRaw(source, start, end)
  }

  /** The text alone, in UTF-8. */
  writeUtf8(text: string): void {
    const length = Buffer.byteLength(text)
    this.reserve(length)
    this.used += this.buffer.write(text, this.used, length, 'utf8')
  }

  /** The length in bytes as an unsigned varint, then the text in UTF-8. */
  writeString(text: string): void {
    this.writeUVarint(Buffer.byteLength(text))
    this.writeUtf8(text)
  }

  private reserve(bytes: number): void {
    const needed = this.used + bytes
    if (needed <= this.buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(grown, 0, 0, this.used)
    this.buffer = grown
  }
}

/**
 * Reads what a `ByteWriter` wrote. Never reads outside its range: bytes that do not hold what is asked for, or
 * hold a number beyond 2^53, are a RangeError.
 */
export class ByteReader {
  readonly bytes: Buffer
  private at: number
  private readonly end: number

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    if (!(start >= 0 && start <= end && end <= bytes.length)) {
      throw new RangeError(`Not a range of ${bytes.length} bytes: ${start} to ${end}`)
    }
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  /** Where in `bytes` the next read begins. */
  get position(): number {
    return this.at
  }

  get remaining(): number {
    return this.end - this.at
  }

  /** Throws unless everything has been read. */
  expectEnd(): void {
    if (this.at !== this.end) throw new RangeError(`${this.remaining} bytes are left over`)
  }

  readUVarint(): number {
    const first = this.readUInt8()
    return first < 0x80 ? first : this.readRest(first & 0x7f, 0x80)
  }

  readVarint(): number {
    const first = this.readUInt8()
    const low = (first & 0x7f) >>> 1
    const magnitude = first < 0x80 ? low : this.readRest(low, 0x40)
    return (first & 1) === 0 ? magnitude : -magnitude - 1
  }

  readUInt8(): number {
    return this.bytes[this.take(1)] as number
  }

  readInt16(): number {
    return this.bytes.readInt16BE(this.take(2))
  }

  readInt32(): number {
    return this.bytes.readInt32BE(this.take(4))
  }

  readUInt32(): number {
    return this.bytes.readUInt32BE(this.take(4))
  }

  readInt64(): bigint {
    return this.bytes.readBigInt64BE(this.take(8))
  }

  readDouble(): number {
    return this.bytes.readDoubleBE(this.take(8))
  }

  /** The next `length` bytes, as a view. */
  readRaw(length: number): Buffer {
    const start = this.take(length)
    return this.bytes.subarray(start, start + length)
  }

  /** Bytes after their length, as a view. */
  readBytes(): Buffer {
    return this.readRaw(this.readUVarint())
  }

  /** UTF-8 after its length in bytes. */
  readString(): string {
    const length = this.readUVarint()
    const start = this.take(length)
    return this.bytes.toString('utf8', start, start + length)
  }

  /** The further bytes of a varint, whose first gave `value` and so many times `scale` is still to come. */
  private readRest(value: number, scale: number): number {
    let sum = value
    for (let factor = scale; ; factor *= 0x80) {
      const byte = this.readUInt8()
      sum += (byte & 0x7f) * factor
      if (sum > Number.MAX_SAFE_INTEGER || factor > Number.MAX_SAFE_INTEGER) {
        throw new RangeError('A varint is beyond 2^53')
      }
      if (byte < 0x80) return sum
    }
  }

  private take(length: number): number {
    const start = this.at
    if (!(length >= 0 && length <= this.end - start)) {
      throw new RangeError(`${length} bytes asked for where ${this.end - start} are left`)
    }
    this.at = start + length
    return start
  }
}
