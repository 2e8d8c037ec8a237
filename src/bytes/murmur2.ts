/**
 * The hash and the rule by which Kafka's own clients give a keyed record its partition. Every writer of a keyed topic must
 * agree on it, or equal keys meet in different partitions.
 */

const seed = 0x9747b28c
const multiplier = 0x5bd1e995

/** Kafka's 32-bit murmur2 of `bytes`, as a signed number. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  let hash = seed ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let word =
      byteAt(bytes, at) |
      (byteAt(bytes, at + 1) << 8) |
      (byteAt(bytes, at + 2) << 16) |
      (byteAt(bytes, at + 3) << 24)
    word = Math.imul(word, multiplier)
    word ^= word >>> 24
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier)
  }
  const left = length - at
  if (left > 0) {
    if (left === 3) hash ^= byteAt(bytes, at + 2) << 16
    if (left >= 2) hash ^= byteAt(bytes, at + 1) << 8
    hash = Math.imul(hash ^ byteAt(bytes, at), multiplier)
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}

/** The partition of a key among `partitionCount`, as Kafka's default partitioner has it. */
export function partitionFor(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}
