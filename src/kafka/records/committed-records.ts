import { crc32c } from '../../bytes/crc32c.ts'
import { CodedError } from '../../errors.ts'
import type { FetchedRecords, RecordView } from '../../ports/kafka.ts'
import { abortMarker, attribute, batchAt, batchLengthOverhead, magicV2, readInt64 } from './batch-format.ts'
import { compressionOf, decompress } from './compression.ts'
import { RecordCursor } from './record-cursor.ts'

export interface FetchedPartition {
  readonly topic: string
  readonly partition: number
  /** The offset that was asked for; records below it are skipped. */
  readonly fetchOffset: number
  /** Record batches, the last of which may be cut off. Kept as long as the records are read. */
  readonly records: Buffer
  /** As the broker gives it: in any order. */
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: number }[]
  readonly lastStableOffset: number
  readonly logStartOffset: number
}

/**
 * The records of one partition out of a `read_committed` fetch answer that may be seen.
 *
 * At once, without looking at a record:
 * 1. Each whole batch is checked: magic, length, CRC, and that it lies behind the one before. A cut-off one at the
 *    end is left for the next fetch; the first is never cut off, because the broker sends it whole.
 * 2. Aborted transactions that begin at or before the batch put their producer on the aborted list. An abort marker, which
 *    is known by the batch's control bit and never by a key, takes it off.
 * 3. Control batches and transactional batches of aborted producers are passed over, as are empty ones; `nextOffset` moves
 *    past each of them, so that reading never stands still.
 * Then, as `next` is called:
 * 4. Batch by batch is decompressed and its records shown, one decompressed batch being held at a time.
 *
 * Throws CORRUPT_BATCH, as does `next`.
 */
export function committedRecords(fetched: FetchedPartition): FetchedRecords {
  return new CommittedRecords(fetched)
}

class CommittedRecords implements FetchedRecords {
  readonly topic: string
  readonly partition: number
  readonly recordCount: number
  readonly sizeInBytes: number
  readonly nextOffset: number
  readonly lastStableOffset: number
  readonly logStartOffset: number

  private readonly fetchOffset: number
  private readonly records: Buffer
  /** Where the batches begin whose records may be seen. */
  private readonly batches: number[] = []
  private batchIndex = 0
  private readonly cursor: RecordCursor

  constructor(fetched: FetchedPartition) {
    this.topic = fetched.topic
    this.partition = fetched.partition
    this.fetchOffset = fetched.fetchOffset
    this.records = fetched.records
    this.sizeInBytes = fetched.records.length
    this.lastStableOffset = fetched.lastStableOffset
    this.logStartOffset = fetched.logStartOffset
    this.cursor = new RecordCursor(fetched.topic, fetched.partition)

    const aborted = new AbortedProducers(fetched.abortedTransactions)
    let recordCount = 0
    let nextOffset = 0
    for (let at = 0; at < this.records.length; ) {
      const size = this.wholeBatchSize(at, nextOffset)
      if (size === null) break
      const baseOffset = readInt64(this.records, at + batchAt.baseOffset)
      const lastOffset = baseOffset + this.records.readInt32BE(at + batchAt.lastOffsetDelta)
      if (baseOffset < nextOffset) throw this.corrupt(baseOffset, 'Its offsets overlap with those before.')
      // A broker sends none of these, unless the transaction has just ended: then the next fetch brings them.
      if (lastOffset >= this.lastStableOffset) break

      if (this.passesFilter(at, baseOffset, aborted) && lastOffset >= this.fetchOffset) {
        const count = this.records.readInt32BE(at + batchAt.recordCount)
        if (count > 0) this.batches.push(at)
        recordCount += count
      }
      nextOffset = lastOffset + 1
      at += size
    }
    if (nextOffset > 0 && nextOffset <= this.fetchOffset) {
      throw this.corrupt(nextOffset - 1, 'The answer ends before the offset that was asked for.')
    }
    this.nextOffset = Math.max(nextOffset, this.fetchOffset)
    this.recordCount = recordCount
  }

  next(): RecordView | null {
    const cursor = this.cursor
    for (;;) {
      if (cursor.advance()) {
        if (cursor.offset >= this.fetchOffset) return cursor
      } else if (!this.enterNextBatch()) {
        return null
      }
    }
  }

  private enterNextBatch(): boolean {
    const at = this.batches[this.batchIndex]
    if (at === undefined) {
      this.cursor.leave()
      return false
    }
    this.enter(this.cursor, at)
    this.batchIndex++
    return true
  }

  private enter(cursor: RecordCursor, at: number): void {
    const records = this.records
    const attributes = records.readInt16BE(at + batchAt.attributes)
    const baseOffset = readInt64(records, at + batchAt.baseOffset)
    let bytes = records
    let start = at + batchAt.records
    let end = at + batchLengthOverhead + records.readInt32BE(at + batchAt.length)
    if ((attributes & attribute.compressionMask) !== 0) {
      bytes = this.decompressed(attributes, baseOffset, records.subarray(start, end))
      start = 0
      end = bytes.length
    }
    cursor.enter({
      bytes,
      start,
      end,
      recordCount: records.readInt32BE(at + batchAt.recordCount),
      baseOffset,
      lastOffsetDelta: records.readInt32BE(at + batchAt.lastOffsetDelta),
      baseTimestamp: records.readBigInt64BE(at + batchAt.baseTimestamp),
      appendTimestamp:
        (attributes & attribute.logAppendTime) === 0 ? null : readInt64(records, at + batchAt.maxTimestamp),
    })
  }

  private decompressed(attributes: number, baseOffset: number, bytes: Buffer): Buffer {
    try {
      return decompress(compressionOf(attributes & attribute.compressionMask), bytes)
    } catch (cause) {
      throw this.corrupt(baseOffset, 'It cannot be decompressed.', cause)
    }
  }

  /** Step 1. The size of the batch in bytes, or null if it is cut off. */
  private wholeBatchSize(at: number, expectedOffset: number): number | null {
    const left = this.records.length - at
    const first = at === 0
    const where = Math.max(expectedOffset, this.fetchOffset)
    if (left > batchAt.magic) {
      const magic = this.records.readInt8(at + batchAt.magic)
      if (magic !== magicV2) throw this.corrupt(where, `It has the message format ${magic} instead of 2.`)
    }
    const size =
      left < batchAt.magic
        ? Number.POSITIVE_INFINITY
        : this.records.readInt32BE(at + batchAt.length) + batchLengthOverhead
    if (size < batchAt.records) throw this.corrupt(where, 'Its length is too short.')
    if (size > left) {
      if (first) throw this.corrupt(where, 'The first batch of the answer is cut off.')
      return null
    }
    const sum = crc32c(this.records.subarray(at + batchAt.attributes, at + size))
    if (sum !== this.records.readUInt32BE(at + batchAt.crc)) {
      throw this.corrupt(where, 'Its checksum does not match.')
    }
    const lastOffsetDelta = this.records.readInt32BE(at + batchAt.lastOffsetDelta)
    const count = this.records.readInt32BE(at + batchAt.recordCount)
    if (!(lastOffsetDelta >= 0 && count >= 0 && count <= lastOffsetDelta + 1)) {
      throw this.corrupt(where, 'Its number of records and its last offset do not fit together.')
    }
    return size
  }

  /** Steps 2 and 3. */
  private passesFilter(at: number, baseOffset: number, aborted: AbortedProducers): boolean {
    const attributes = this.records.readInt16BE(at + batchAt.attributes)
    const control = (attributes & attribute.control) !== 0
    if (!control && (attributes & attribute.transactional) === 0) return true
    aborted.addThoseBegunBy(baseOffset)
    const producerId = this.records.readBigInt64BE(at + batchAt.producerId)
    if (!control) return !aborted.has(producerId)
    if (this.isAbortMarker(at)) aborted.remove(producerId)
    return false
  }

  private isAbortMarker(at: number): boolean {
    const marker = new RecordCursor(this.topic, this.partition)
    this.enter(marker, at)
    if (!marker.advance()) return false
    const key = marker.key()
    if (key === null || key.length < 4) throw this.corrupt(marker.offset, 'A control record has no type.')
    return key.readInt16BE(2) === abortMarker
  }

  private corrupt(offset: number, detail: string, cause?: unknown): CodedError {
    return new CodedError('CORRUPT_BATCH', {
      operation: 'read record batch',
      topic: this.topic,
      partition: this.partition,
      offset,
      detail,
      cause,
    })
  }
}

/** Producers whose open transaction, at the batch in hand, is one that was aborted later. */
class AbortedProducers {
  /** By first offset, so that each is met in its turn; brokers and leaders differ in the order they give. */
  private readonly transactions: readonly { readonly producerId: bigint; readonly firstOffset: number }[]
  private index = 0
  private readonly producerIds = new Set<bigint>()

  constructor(transactions: FetchedPartition['abortedTransactions']) {
    this.transactions = transactions.toSorted((a, b) => a.firstOffset - b.firstOffset)
  }

  addThoseBegunBy(baseOffset: number): void {
    let transaction = this.transactions[this.index]
    while (transaction !== undefined && transaction.firstOffset <= baseOffset) {
      this.producerIds.add(transaction.producerId)
      transaction = this.transactions[++this.index]
    }
  }

  remove(producerId: bigint): void {
    this.producerIds.delete(producerId)
  }

  has(producerId: bigint): boolean {
    return this.producerIds.has(producerId)
  }
}
