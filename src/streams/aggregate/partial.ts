import { ByteReader, ByteWriter } from '../../bytes/varint.ts'

import { CodedError } from '../../errors.ts'

/**
 * The format of a record in a repartition topic: a partial aggregate of one key, out of one commit ("source transaction")
 * of one task of the first stage. The record's key is the key of the aggregate, or empty where only stream time is told.
 *
 *   version        1 byte, 1
 *   flags          1 byte: 1 = the last record of its source transaction in this partition, 2 = a delta follows
 *   sourcePartition  unsigned varint
 *   streamTime     unsigned varint, ms + 1; 0 where the task has seen no event yet
 *   offsets        unsigned varint count, then one unsigned varint for each source topic of the first stage,
 *                  in the order of the topology: up to where (exclusive) the transaction has read
 *   delta          the rest
 *
 * The reader commits only between source transactions, so that its state is always a sum of whole ones.
 */
export interface PartialHeader {
  readonly isLast: boolean
  readonly hasDelta: boolean
  readonly sourcePartition: number
  readonly streamTime: number | null
  readonly offsets: readonly number[]
}

const version = 1
const lastFlag = 1
const deltaFlag = 2

/** Position of the flags byte, for `markLast`. */
const flagsAt = 1

const writer = new ByteWriter()

/** A copy. */
export function encodePartial(
  header: Omit<PartialHeader, 'hasDelta' | 'isLast'>,
  delta: Buffer | null,
): Buffer {
  writer.reset()
  writer.writeUInt8(version)
  writer.writeUInt8(delta === null ? 0 : deltaFlag)
  writer.writeUVarint(header.sourcePartition)
  writer.writeUVarint(header.streamTime === null ? 0 : header.streamTime + 1)
  writer.writeUVarint(header.offsets.length)
  for (const offset of header.offsets) writer.writeUVarint(offset)
  if (delta !== null) writer.writeRaw(delta)
  return writer.toBuffer()
}

/** Flags an encoded partial as the last of its source transaction in its partition. */
export function markLast(partial: Buffer): void {
  partial[flagsAt] = (partial[flagsAt] ?? 0) | lastFlag
}

/** The header, and where in `bytes` the delta begins. Throws FORMAT_TOO_NEW. */
export function decodePartial(
  bytes: Buffer,
  start: number,
  end: number,
): { header: PartialHeader; deltaStart: number } {
  const reader = new ByteReader(bytes, start, end)
  const found = reader.readUInt8()
  if (found !== version) {
    throw new CodedError('FORMAT_TOO_NEW', {
      operation: 'read a partial aggregate',
      detail: `Its format is ${found}, this program knows ${version}.`,
    })
  }
  const flags = reader.readUInt8()
  const sourcePartition = reader.readUVarint()
  const streamTime = reader.readUVarint()
  const offsets: number[] = []
  for (let left = reader.readUVarint(); left > 0; left--) offsets.push(reader.readUVarint())
  return {
    header: {
      isLast: (flags & lastFlag) !== 0,
      hasDelta: (flags & deltaFlag) !== 0,
      sourcePartition,
      streamTime: streamTime === 0 ? null : streamTime - 1,
      offsets,
    },
    deltaStart: reader.position,
  }
}
