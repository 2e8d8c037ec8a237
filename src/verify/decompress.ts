import { createRequire } from 'node:module'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { decompressFrameSync } from 'lz4-napi'

const require = createRequire(import.meta.url)
const snappyCodec: () => { decompress(bytes: Buffer): Promise<Buffer> } = require('kafkajs-snappy')

/** By their number in a batch's attributes. */
export const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

export type Compression = (typeof compressions)[number]

export async function decompress(compression: Compression, bytes: Buffer): Promise<Buffer> {
  // A batch that compaction has emptied has nothing left to decompress.
  if (bytes.length === 0) return bytes
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gunzipSync(bytes)
    case 'snappy':
      return Buffer.from(await snappyCodec().decompress(bytes))
    case 'lz4':
      return decompressFrameSync(bytes)
    case 'zstd':
      return zstdDecompressSync(bytes)
  }
}
