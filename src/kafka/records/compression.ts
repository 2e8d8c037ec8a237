import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gunzipSync, gzip, zstdCompress, zstdDecompressSync } from 'node:zlib'
import { compressFrame, decompressFrameSync } from 'lz4-napi'

/**
 * The compression of record batches. Compressing leaves the event loop's thread where the codec can; decompressing is
 * synchronous, so that a reader holds one decompressed batch at a time.
 */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** In the order of their codes in the attributes of a batch. */
const compressions: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** No batch may decompress to more: a small, hostile one could otherwise fill the memory. */
export const decompressionLimit = 256 * 1024 * 1024

// kafkajs-snappy offers its codec only behind promises; underneath it is this synchronous one.
const require = createRequire(import.meta.url)
const snappy: { compress(bytes: Buffer): Buffer; uncompress(bytes: Buffer): Buffer } = createRequire(
  require.resolve('kafkajs-snappy'),
)('snappyjs')

const gzipAsync = promisify(gzip)
const zstdCompressAsync = promisify(zstdCompress)

/** The code of a compression in the attributes of a batch. */
export function compressionCode(compression: Compression): number {
  return compressions.indexOf(compression)
}

/** The compression of a code; throws a RangeError if there is none. */
export function compressionOf(code: number): Compression {
  const compression = compressions[code]
  if (compression === undefined) throw new RangeError(`Compression ${code} is unknown`)
  return compression
}

export async function compress(compression: Compression, bytes: Buffer): Promise<Buffer> {
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipAsync(bytes)
    case 'snappy':
      return snappy.compress(bytes)
    case 'lz4':
      return compressFrame(bytes)
    case 'zstd':
      return zstdCompressAsync(bytes)
  }
}

/** Throws whatever the codec throws, or a RangeError beyond `limit` bytes. */
export function decompress(compression: Compression, bytes: Buffer, limit = decompressionLimit): Buffer {
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gunzipSync(bytes, { maxOutputLength: limit })
    case 'snappy':
      return decompressSnappy(bytes, limit)
    case 'lz4':
      requireWithin(largestLz4Content(bytes), limit)
      return decompressFrameSync(bytes)
    case 'zstd':
      return zstdDecompressSync(bytes, { maxOutputLength: limit })
  }
}

const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
/** The magic, a version and a compatible version of four bytes each. */
const xerialHeaderBytes = 16

/** Java writes xerial's frames: a header, then blocks after their lengths. Others write one block without a frame. */
function decompressSnappy(bytes: Buffer, limit: number): Buffer {
  if (!bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) {
    requireWithin(snappyContentLength(bytes), limit)
    return snappy.uncompress(bytes)
  }
  const pieces: Buffer[] = []
  let total = 0
  for (let at = xerialHeaderBytes; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    at += 4
    if (length > bytes.length - at) throw new RangeError('A snappy block is cut off')
    const block = bytes.subarray(at, at + length)
    total += snappyContentLength(block)
    requireWithin(total, limit)
    pieces.push(snappy.uncompress(block))
    at += length
  }
  return Buffer.concat(pieces)
}

/** A snappy block opens with the length of its content, as a varint. */
function snappyContentLength(block: Buffer): number {
  let length = 0
  for (let at = 0, factor = 1; at < 5; at++, factor *= 0x80) {
    const byte = block.readUInt8(at)
    length += (byte & 0x7f) * factor
    if (byte < 0x80) return length
  }
  throw new RangeError('A snappy block has no length')
}

/**
 * The most that an LZ4 frame can hold, by its blocks: none is larger than the frame's block size, and none grows by more than
 * 255 times. The content size that a frame may state is optional and not to be trusted.
 */
function largestLz4Content(frame: Buffer): number {
  const flags = frame.readUInt8(4)
  const blockChecksumBytes = (flags & 0x10) === 0 ? 0 : 4
  const contentSizeBytes = (flags & 0x08) === 0 ? 0 : 8
  const dictionaryIdBytes = (flags & 0x01) === 0 ? 0 : 4
  const blockBytes = 1 << (8 + 2 * ((frame.readUInt8(5) >>> 4) & 0x07))
  let largest = 0
  for (let at = 7 + contentSizeBytes + dictionaryIdBytes; at + 4 <= frame.length; ) {
    const length = frame.readUInt32LE(at) & 0x7fffffff
    if (length === 0) break
    largest += Math.min(blockBytes, length * 255)
    at += 4 + length + blockChecksumBytes
  }
  return largest
}

function requireWithin(bytes: number, limit: number): void {
  if (bytes > limit) throw new RangeError(`A batch would decompress to ${bytes} bytes, above ${limit}`)
}
