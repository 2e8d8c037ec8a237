/** Compares what the stores of a machine hold with what a changelog says. */
import type { SimulatedDisk } from './simulated-disk.ts'

/** Where in the store an entry of the changelog stands, and how many bytes of checksum follow its value. */
const dataPrefix = '\x01'
const checksumBytes = 4

/**
 * Null if a store of the task holds exactly `expected` (the last value of each key, by the key of the store), apart from bits that have
 * flipped unread; else what is different in the one that comes nearest.
 */
export function storeDifference(
  disk: SimulatedDisk,
  taskId: string,
  expected: ReadonlyMap<string, Buffer>,
): string | null {
  const differences = disk
    .stores()
    .filter((path) => path.endsWith(`/${taskId}`))
    .map((path) => differenceAt(disk, path, expected))
  if (differences.length === 0) return expected.size === 0 ? null : 'it is not there'
  return differences.includes(null) ? null : (differences[0] ?? null)
}

function differenceAt(
  disk: SimulatedDisk,
  path: string,
  expected: ReadonlyMap<string, Buffer>,
): string | null {
  const entries = [...disk.entriesOf(path)].filter(([name]) => name.startsWith(dataPrefix))
  if (entries.length !== expected.size) return `${entries.length} entries instead of ${expected.size}`
  for (const [name, value] of entries) {
    const key = name.slice(dataPrefix.length)
    const own = value.subarray(0, -checksumBytes)
    const other = expected.get(key)
    if (other?.equals(own) === true || disk.isFlipped(path, name)) continue
    return `${key} is ${own.toString('hex')}, not ${other?.toString('hex')}`
  }
  return null
}
