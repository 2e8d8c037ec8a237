/** Record batches made by hand, byte by byte from Kafka's description of the format. */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import { compressFrameSync } from 'lz4-napi'

export interface MadeRecord {
  readonly key?: string | null
  readonly value?: string | Buffer | null
  readonly timestamp?: number
  readonly headers?: readonly (readonly [string, string | null])[]
  /** Offset delta, where compaction has left gaps. */
  readonly at?: number
}

export interface MadeBatch {
  readonly baseOffset: number
  readonly records: readonly MadeRecord[]
  readonly lastOffsetDelta?: number
  readonly producerId?: number
  readonly transactional?: boolean
  readonly control?: boolean
  readonly compression?: 'none' | 'gzip' | 'lz4' | 'zstd'
  readonly appendTime?: number
}

function varint(value: number): Buffer {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  const bytes: number[] = []
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

function field(value: string | Buffer | null): Buffer {
  if (value === null) return varint(-1)
  const bytes = Buffer.from(value as string)
  return Buffer.concat([varint(bytes.length), bytes])
}

function record(made: MadeRecord, index: number, baseTimestamp: number): Buffer {
  const { key = null, value = null, headers = [] } = made
  const body = Buffer.concat([
    Buffer.from([0]),
    varint((made.timestamp ?? baseTimestamp) - baseTimestamp),
    varint(made.at ?? index),
    field(key),
    field(value),
    varint(headers.length),
    ...headers.flatMap(([name, text]) => [field(name), field(text)]),
  ])
  return Buffer.concat([varint(body.length), body])
}

const compressors = { none: (b: Buffer) => b, gzip: gzipSync, lz4: compressFrameSync, zstd: zstdCompressSync }
const codes = { none: 0, gzip: 1, lz4: 3, zstd: 4 }

export function makeBatch(made: MadeBatch): Buffer {
  const { baseOffset, records, producerId = -1, compression = 'none', appendTime } = made
  const baseTimestamp = records[0]?.timestamp ?? 1_700_000_000_000
  const attributes =
    codes[compression] |
    (appendTime === undefined ? 0 : 8) |
    (made.transactional ? 16 : 0) |
    (made.control ? 32 : 0)
  const body = compressors[compression](
    Buffer.concat(records.map((one, index) => record(one, index, baseTimestamp))),
  )
  const header = Buffer.alloc(40)
  header.writeInt16BE(attributes, 0)
  header.writeInt32BE(made.lastOffsetDelta ?? records.length - 1, 2)
  header.writeBigInt64BE(BigInt(baseTimestamp), 6)
  header.writeBigInt64BE(BigInt(appendTime ?? baseTimestamp), 14)
  header.writeBigInt64BE(BigInt(producerId), 22)
  header.writeInt32BE(-1, 32)
  header.writeInt32BE(records.length, 36)
  const summed = Buffer.concat([header, body])
  const front = Buffer.alloc(21)
  front.writeBigInt64BE(BigInt(baseOffset), 0)
  front.writeInt32BE(summed.length + 9, 8)
  front.writeInt8(2, 16)
  front.writeUInt32BE(crc32c(summed), 17)
  return Buffer.concat([front, summed])
}

export function makeMarker(baseOffset: number, producerId: number, type: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, type === 'commit' ? 1 : 0]).toString('latin1')
  const value = Buffer.alloc(6)
  return makeBatch({ baseOffset, producerId, transactional: true, control: true, records: [{ key, value }] })
}
