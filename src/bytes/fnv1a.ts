/** FNV-1a of a range of bytes, as a signed 32-bit number. For tables in memory; its low bits alone are not well mixed. */
export function fnv1a(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let hash = 0x811c9dc5 | 0
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193)
  return hash
}

/** Lets the high bits of a hash reach the low ones, which choose the slot of a table (from the finaliser of MurmurHash3). */
export function spread(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return half ^ (half >>> 13)
}
