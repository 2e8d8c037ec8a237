import { CodedError } from '../../errors.ts'
import type { RecordView } from '../../ports/kafka.ts'
import { keySpace } from '../store/envelope.ts'
import { StoreKey } from '../store/store-key.ts'
import type { ChangelogWrite, CommitMeta } from '../store/types.ts'

/**
 * The format of a changelog topic.
 *
 * A record's key is one byte for its kind, then the key itself: 0x01 for an entry of the store (value: the entry's
 * bytes, or null where it was deleted), 0x00 alone for the meta record. Each commit of a task writes the last
 * value of every key it touched and then one meta record, in one transaction: so the last meta record of a
 * partition tells up to where the input has been counted in what stands before it, and compaction keeps it.
 */

const metaKind = 0x00
/** So that an entry has the same key here as in the database. */
const dataKind = keySpace.data

/** Version of the changelog's format; a newer one is refused. */
export const changelogFormat = 1

export const metaRecordKey = Buffer.from([metaKind])

export function encodeMeta(meta: CommitMeta): Buffer {
  return Buffer.from(JSON.stringify(meta))
}

/** Throws FORMAT_TOO_NEW. */
export function decodeMeta(value: Buffer, place: { topic: string; partition: number }): CommitMeta {
  const meta = JSON.parse(value.toString()) as CommitMeta
  if (meta.version === changelogFormat) return meta
  throw new CodedError('FORMAT_TOO_NEW', {
    operation: 'read the changelog',
    ...place,
    detail: `Its format is ${String(meta.version)}, this program knows ${changelogFormat}.`,
  })
}

export type ChangelogRecord =
  | { readonly kind: 'meta'; readonly meta: CommitMeta }
  | { readonly kind: 'data'; readonly write: ChangelogWrite }

/** What a record of the changelog says; its bytes are copied. Throws CORRUPT_BATCH for a record that is none. */
export function decodeChangelogRecord(
  record: RecordView,
  place: { topic: string; partition: number },
): ChangelogRecord {
  const { bytes, keyStart, keyEnd, valueStart, valueEnd } = record
  const kind = keyEnd > keyStart ? bytes[keyStart] : undefined
  if (kind === dataKind) {
    return {
      kind: 'data',
      write: {
        key: new StoreKey(copyOf(bytes, keyStart, keyEnd)),
        value: valueStart < 0 ? null : copyOf(bytes, valueStart, valueEnd),
      },
    }
  }
  if (kind === metaKind && keyEnd - keyStart === 1 && valueStart >= 0) {
    return { kind: 'meta', meta: decodeMeta(bytes.subarray(valueStart, valueEnd), place) }
  }
  throw new CodedError('CORRUPT_BATCH', {
    operation: 'read the changelog',
    ...place,
    offset: record.offset,
    detail: 'The record is neither an entry nor a meta record; something else has written to this topic.',
  })
}

function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start)
  bytes.copy(copy, 0, start, end)
  return copy
}
