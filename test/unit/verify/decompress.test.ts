import { createRequire } from 'node:module'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { compressFrameSync } from 'lz4-napi'
import { describe, expect, it } from 'vitest'
import { decompress } from '../../../src/verify/decompress.ts'

const codec: () => { compress(encoder: { buffer: Buffer }): Promise<Buffer> } = createRequire(
  import.meta.url,
)('kafkajs-snappy')
const bytes = Buffer.from('{"user_id":"u"}'.repeat(500))

async function snappyBlock(block: Buffer): Promise<Buffer> {
  return Buffer.from(await codec().compress({ buffer: block }))
}

/** As Java clients write it: a header of 16 bytes, then blocks that each begin with their length. */
async function snappyFrames(): Promise<Buffer> {
  const parts: Buffer[] = [Buffer.from([130, 83, 78, 65, 80, 80, 89, 0, 0, 0, 0, 1, 0, 0, 0, 1])]
  for (const block of [bytes.subarray(0, 4000), bytes.subarray(4000)]) {
    const compressed = await snappyBlock(block)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(compressed.length)
    parts.push(length, compressed)
  }
  return Buffer.concat(parts)
}

describe('decompress', () => {
  it.each([
    ['none', async () => bytes],
    ['gzip', async () => gzipSync(bytes)],
    ['snappy', () => snappyBlock(bytes)],
    ['snappy', snappyFrames],
    ['lz4', async () => compressFrameSync(bytes)],
    ['zstd', async () => zstdCompressSync(bytes)],
  ] as const)('gives back what %s has compressed', async (compression, compressed) => {
    expect((await decompress(compression, await compressed())).equals(bytes)).toBe(true)
  })

  it('leaves nothing as nothing', async () => {
    expect(await decompress('zstd', Buffer.alloc(0))).toHaveLength(0)
  })
})
