/**
 * The layout of a record batch, message format 2, all numbers big-endian:
 *
 *   at  bytes
 *    0  8   base offset
 *    8  4   length: bytes that follow this field
 *   12  4   partition leader epoch, set by the broker
 *   16  1   magic, 2
 *   17  4   CRC-32C of everything from the attributes to the end; what stands before is not covered
 *   21  2   attributes
 *   23  4   last offset delta; survives compaction, so it may be larger than the number of records tells
 *   27  8   base timestamp
 *   35  8   max timestamp
 *   43  8   producer id
 *   51  2   producer epoch
 *   53  4   base sequence
 *   57  4   number of records; 0 in a batch of which compaction has left the head alone
 *   61      the records, compressed as one piece where the attributes say so
 *
 * A record is: length, attributes (1 byte, unused), timestamp delta, offset delta, key length, key, value length, value,
 * number of headers, then for each header name length, name, value length, value. Numbers are zigzag varints;
 * the length -1 means null.
 */
export const batchAt = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const

/** Bytes before the part that the length field counts. */
export const batchLengthOverhead = batchAt.leaderEpoch

export const magicV2 = 2

export const attribute = {
  compressionMask: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
} as const

/** The type in a control record's key: int16 version, int16 type. */
export const abortMarker = 0
export const commitMarker = 1

/**
 * Timestamps are held between -2^52 and 2^52 ms, 142,000 years around 1970: so even the difference of two is exact in a
 * double. The format allows more, and a foreign producer may have written it: such a timestamp becomes the nearer limit.
 */
export const timestampLimit = 2 ** 52

/** A signed 64-bit number, rounded to a double beyond 2^53. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}
