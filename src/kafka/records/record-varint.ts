/**
 * Writing the zigzag varints of records. The timestamp delta alone may go beyond 32 bits; it may even need more than a
 * double holds exactly once it is doubled, hence the BigInt.
 */

/** Bytes of a signed 32-bit number. */
export function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x20_0000) return 3
  return zigzag < 0x1000_0000 ? 4 : 5
}

/** Writes a signed 32-bit number and returns where it ends. */
export function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  let to = at
  while (rest >= 0x80) {
    target[to++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[to++] = rest
  return to
}

/** Bytes of a whole number between -2^53 and 2^53. */
export function varlongSize(value: number): number {
  if (value === (value | 0)) return varintSize(value)
  let rest = zigzagOf(value) >> 28n
  let size = 4
  for (; rest > 0n; rest >>= 7n) size++
  return size
}

/** Writes a whole number between -2^53 and 2^53 and returns where it ends. */
export function writeVarlong(target: Buffer, at: number, value: number): number {
  if (value === (value | 0)) return writeVarint(target, at, value)
  let rest = zigzagOf(value)
  let to = at
  for (; rest >= 0x80n; rest >>= 7n) target[to++] = Number(rest & 0x7fn) | 0x80
  target[to++] = Number(rest)
  return to
}

function zigzagOf(value: number): bigint {
  const exact = BigInt(value)
  return exact >= 0n ? exact << 1n : (-exact << 1n) - 1n
}
