import { crc32c as nativeCrc32c } from '@node-rs/crc32'

/**
 * CRC-32C (Castagnoli), the checksum of Kafka's record batches, as an unsigned 32-bit number.
 * `previous` is the checksum of the bytes before these, so that pieces can be summed up one after the other.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  return nativeCrc32c(bytes, previous)
}
