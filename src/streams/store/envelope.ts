import { crc32c } from '../../bytes/crc32c.ts'

/**
 * How an entry stands in the database.
 *
 *   key     1 byte key space, then the key
 *   value   the value, then CRC-32C (4 bytes, little-endian) over the key as it stands there, and the value
 *
 * The checksum covers the key, so that a value which turns up under another key is noticed too.
 */
export const keySpace = { meta: 0, data: 1, index: 2, end: 3 } as const

export type KeySpace = (typeof keySpace)[keyof typeof keySpace]

const checksumLength = 4

/** An entry as it stands in the database. */
export interface SealedEntry {
  readonly key: Buffer
  readonly value: Buffer
}

export function seal(space: KeySpace, key: Buffer, value: Buffer): SealedEntry {
  const stored = databaseKey(space, key)
  return { key: stored, value: envelopeOf(stored, value).envelope }
}

/** A copy of the value, with its checksum behind it. */
export function envelopeOf(databaseKey: Buffer, value: Buffer): { envelope: Buffer; checksum: number } {
  const envelope = Buffer.allocUnsafe(value.length + checksumLength)
  envelope.set(value)
  const checksum = crc32c(value, crc32c(databaseKey))
  envelope.writeUInt32LE(checksum, value.length)
  return { envelope, checksum }
}

/** The checksum that stands in an envelope, or -1 where it does not fit to key and value. */
export function checksumOf(databaseKey: Buffer, envelope: Buffer): number {
  const valueEnd = envelope.length - checksumLength
  if (valueEnd < 0) return -1
  const checksum = envelope.readUInt32LE(valueEnd)
  return crc32c(envelope, crc32c(databaseKey), 0, valueEnd) === checksum ? checksum : -1
}

/** The value in an envelope, as a view. */
export function valueIn(envelope: Buffer): Buffer {
  return envelope.subarray(0, envelope.length - checksumLength)
}

export function databaseKey(space: KeySpace, key: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(1 + key.length)
  bytes[0] = space
  bytes.set(key, 1)
  return bytes
}
