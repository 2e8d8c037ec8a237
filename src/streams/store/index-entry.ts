import type { DatabaseOperation } from '../../ports/database.ts'
import { databaseKey, keySpace, seal } from './envelope.ts'
import type { StoreKey } from './store-key.ts'

/**
 * The key of an index entry: key space, index, terminator 00 01, key. A 00 within the index is written 00 FF, so that
 * entries sort by index and then by key, whatever the bytes and lengths, and both can be read back.
 */
const zero = 0x00
const escapedZero = 0xff
const terminator = 0x01

function escaped(index: Buffer): Buffer {
  if (!index.includes(zero)) return index
  const bytes: number[] = []
  for (const byte of index) {
    bytes.push(byte)
    if (byte === zero) bytes.push(escapedZero)
  }
  return Buffer.from(bytes)
}

/** The index entry's key, without the key space. */
export function indexEntryKey(index: Buffer, key: Buffer): Buffer {
  return Buffer.concat([escaped(index), Buffer.of(zero, terminator), key])
}

/** The first database key that is not below index `lt`. */
export function indexBound(lt: Buffer): Buffer {
  return Buffer.concat([Buffer.of(keySpace.index), escaped(lt)])
}

/** Index and key of a database key in the index space; null if it was not made by `indexEntryKey`. */
export function parseIndexEntry(entryKey: Buffer): { index: Buffer; key: Buffer } | null {
  const index: number[] = []
  for (let at = 1; at < entryKey.length; at += 1) {
    const byte = entryKey[at] ?? zero
    if (byte !== zero) {
      index.push(byte)
      continue
    }
    at += 1
    if (entryKey[at] === terminator) return { index: Buffer.from(index), key: entryKey.subarray(at + 1) }
    if (entryKey[at] !== escapedZero) return null
    index.push(zero)
  }
  return null
}

/** Adds to `operations` what puts the index entry of the value `after` in the place of the one of `before`. */
export function moveIndexEntry(
  operations: DatabaseOperation[],
  indexKeyOf: (key: Buffer, value: Buffer) => Buffer | null,
  key: StoreKey,
  before: Buffer | null,
  after: Buffer | null,
): void {
  const from = entryFor(indexKeyOf, key, before)
  const to = entryFor(indexKeyOf, key, after)
  if (from !== null && to?.equals(from) !== true) {
    operations.push({ type: 'del', key: databaseKey(keySpace.index, from) })
  }
  if (to !== null && from?.equals(to) !== true) {
    operations.push({ type: 'put', ...seal(keySpace.index, to, nothing) })
  }
}

const nothing = Buffer.alloc(0)

function entryFor(
  indexKeyOf: (key: Buffer, value: Buffer) => Buffer | null,
  { bytes }: StoreKey,
  value: Buffer | null,
): Buffer | null {
  const index = value === null ? null : indexKeyOf(bytes, value)
  return index === null ? null : indexEntryKey(index, bytes)
}
