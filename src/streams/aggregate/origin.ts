import type { Header } from '../../ports/kafka.ts'

/**
 * The last partial of a source transaction says, in a header, when the oldest record that the transaction has read was appended to its
 * topic: 8 bytes, a big-endian double, ms since the epoch. So the second stage knows how long a record has been on its way. It is for measuring
 * alone: one that lacks it, from an older version, counts as well.
 */
const headerName = 'origin'

export function originHeader(appendedAt: number): Header {
  const value = Buffer.allocUnsafe(8)
  value.writeDoubleBE(appendedAt)
  return [headerName, value]
}

/** Null where there is none. */
export function readOrigin(headers: readonly Header[]): number | null {
  const value = headers.find(([name]) => name === headerName)?.[1]
  return value?.length === 8 ? value.readDoubleBE() : null
}
