import { crc32c } from '../bytes/crc32c.ts'
import { ByteReader } from '../bytes/varint.ts'

/**
 * LevelDB's table format (version 1.20, `table/format.cc`), as far as it takes to check every byte of a table that a read may
 * rely on. LevelDB checks these sums only if it is told to, and the binding has no way to tell it.
 *
 *   table    data blocks, filter block, metaindex block, index block, footer
 *   block    content, type (1 byte, 0: not compressed), masked CRC-32C of content and type (4 bytes, little-endian)
 *   footer   handles of metaindex and index, padded to 40 bytes, magic number (8 bytes)
 *   handle   offset and size of a block's content, as varints
 *   index    entries of shared length, own length, value length (varints), own key bytes, value: a handle; then the restart points
 *            (4 bytes each) and their count (4 bytes)
 */
const footerLength = 48
const trailerLength = 5
const magic = Buffer.from('57fb808b247547db', 'hex')
const maskDelta = 0xa282ead8

interface Handle {
  readonly offset: number
  readonly size: number
}

/** What is wrong with the table, or null. */
export function tableDamage(table: Buffer): string | null {
  try {
    const footer = table.subarray(-footerLength)
    if (footer.length < footerLength || !footer.subarray(-magic.length).equals(magic)) return 'no footer'
    const reader = new ByteReader(footer)
    const metaindex = handleAt(reader)
    const index = handleAt(reader)
    for (const directory of [metaindex, index]) {
      if (!isWhole(table, directory))
        return `a directory block at ${directory.offset} does not fit its checksum`
      for (const block of handlesIn(table, directory)) {
        if (!isWhole(table, block)) return `the block at ${block.offset} does not fit its checksum`
      }
    }
    return null
  } catch (error) {
    if (error instanceof RangeError) return `not readable as a table (${error.message})`
    throw error
  }
}

function handleAt(reader: ByteReader): Handle {
  return { offset: reader.readUVarint(), size: reader.readUVarint() }
}

function isWhole(table: Buffer, { offset, size }: Handle): boolean {
  const end = offset + size
  if (end + trailerLength > table.length) return false
  const sum = crc32c(table.subarray(offset, end + 1))
  const masked = (((sum >>> 15) | (sum << 17)) + maskDelta) >>> 0
  return table.readUInt32LE(end + 1) === masked
}

function handlesIn(table: Buffer, { offset, size }: Handle): Handle[] {
  const end = offset + size
  if (table[end] !== 0) throw new RangeError('a compressed directory block')
  const entriesEnd = end - 4 * (1 + table.readUInt32LE(end - 4))
  const handles: Handle[] = []
  const reader = new ByteReader(table.subarray(offset, entriesEnd))
  while (reader.remaining > 0) {
    reader.readUVarint()
    const keyLength = reader.readUVarint()
    reader.readUVarint()
    reader.readRaw(keyLength)
    handles.push(handleAt(reader))
  }
  return handles
}
