import { keySpace } from './envelope.ts'

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
export function parseIndexEntry(databaseKey: Buffer): { index: Buffer; key: Buffer } | null {
  const index: number[] = []
  for (let at = 1; at < databaseKey.length; at += 1) {
    const byte = databaseKey[at] ?? zero
    if (byte !== zero) {
      index.push(byte)
      continue
    }
    at += 1
    if (databaseKey[at] === terminator)
      return { index: Buffer.from(index), key: databaseKey.subarray(at + 1) }
    if (databaseKey[at] !== escapedZero) return null
    index.push(zero)
  }
  return null
}
