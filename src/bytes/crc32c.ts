import { crc32c as nativeCrc32c } from '@node-rs/crc32'

/** Below so many bytes, the call of native code takes longer than the sum. */
const nativeBytes = 128

/** What a byte does to the sum, for each of its 256 values. */
const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte
  for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1
  return sum
})

/**
 * CRC-32C (Castagnoli), the checksum of Kafka's record batches, as an unsigned 32-bit number, of `bytes` from `start` (inclusive) to `end`
 * (exclusive). `previous` is the checksum of the bytes before these, so that pieces can be summed up one after the other.
 */
export function crc32c(bytes: Uint8Array, previous = 0, start = 0, end = bytes.length): number {
  if (end - start >= nativeBytes) {
    const isWhole = start === 0 && end === bytes.length
    return nativeCrc32c(isWhole ? bytes : bytes.subarray(start, end), previous)
  }
  let sum = ~previous
  for (let at = start; at < end; at += 1) {
    sum = (sum >>> 8) ^ (table[(sum ^ (bytes[at] as number)) & 0xff] as number)
  }
  return ~sum >>> 0
}
