import { createRequire } from 'node:module'

/** What is used of kafkajs's Decoder. */
interface FieldDecoder {
  readInt16(): number
  readInt32(): number
  readInt64(): bigint
  readString(): string | null
  readBytes(): Buffer | null
  readArray<T>(read: () => T): T[]
}

const require = createRequire(import.meta.url)
const Decoder: new (bytes: Buffer) => FieldDecoder = require('kafkajs/src/protocol/decoder')

/** What a Fetch answer says of one partition. */
export interface FetchedPartition {
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly abortedTransactions: readonly AbortedTransaction[]
  /** Record batches, the last of them perhaps cut off. */
  readonly records: Buffer
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

/**
 * Reads a Fetch answer, version 11, to a request for one partition:
 *
 *     throttle_time_ms i32, error_code i16, session_id i32, one topic:
 *       name (i16 length, bytes), one partition:
 *         partition i32, error_code i16, high_watermark i64, last_stable_offset i64, log_start_offset i64,
 *         aborted transactions (i32 count, each producer_id i64, first_offset i64; -1: none),
 *         preferred_read_replica i32, records (i32 length, bytes; -1: none)
 */
export function decodeFetchAnswer(payload: Buffer): FetchedPartition {
  const decoder = new Decoder(payload)
  const offset = () => Number(decoder.readInt64())

  decoder.readInt32() // Throttle time: the broker has its own means.
  const sessionError = decoder.readInt16()
  decoder.readInt32() // Session id: there is no session.
  if (decoder.readInt32() === 0) return { ...nothing, errorCode: sessionError }
  decoder.readString() // The topic's name; only one was asked for.
  decoder.readInt32() // Count of partitions, and the partition: only one was asked for.
  decoder.readInt32()
  const errorCode = decoder.readInt16()
  const highWatermark = offset()
  const lastStableOffset = offset()
  const logStartOffset = offset()
  const abortedTransactions = decoder.readArray(() => ({
    producerId: decoder.readInt64(),
    firstOffset: offset(),
  }))
  decoder.readInt32() // Preferred replica: only the leader is asked.
  const records = decoder.readBytes() ?? nothing.records
  return { errorCode, highWatermark, lastStableOffset, logStartOffset, abortedTransactions, records }
}

const nothing: FetchedPartition = {
  errorCode: 0,
  highWatermark: 0,
  lastStableOffset: 0,
  logStartOffset: 0,
  abortedTransactions: [],
  records: Buffer.alloc(0),
}
