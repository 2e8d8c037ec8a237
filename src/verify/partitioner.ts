/** Kafka's default partitioner for keyed records: murmur2 of the key, without its sign bit, modulo the partitions. */
export function partitionOf(key: Buffer, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount
}

const multiplier = 0x5bd1e995
const seed = 0x9747b28c

/** Austin Appleby's MurmurHash2 for 32 bits, little endian, with Kafka's seed. */
export function murmur2(bytes: Buffer): number {
  let hash = seed ^ bytes.length
  const wholeWords = bytes.length - (bytes.length % 4)
  for (let at = 0; at < wholeWords; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), multiplier)
    word = Math.imul(word ^ (word >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ word
  }
  if (wholeWords < bytes.length) {
    const rest = [...bytes.subarray(wholeWords)]
    for (const [index, byte] of rest.entries()) hash ^= byte << (8 * index)
    hash = Math.imul(hash, multiplier)
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}
