import { crc32c } from '../../bytes/crc32c.ts'
import type { Database } from '../../ports/database.ts'
import { checksumOf, databaseKey, keySpace, valueIn } from './envelope.ts'
import { indexEntryKey } from './index-entry.ts'
import type { CommitRecord } from './store-meta.ts'
import type { IndexKeyOf } from './types.ts'

/**
 * Reads the whole store and says what is wrong with it, or null. It is right if every envelope fits, if count and set hash are
 * those of the last commit, and if the index is exactly what follows from the values. Tells `onEntry` of each entry of data, by its
 * key in the database.
 */
export async function findDamage(
  database: Database,
  expected: CommitRecord,
  indexKeyOf: IndexKeyOf | undefined,
  onEntry?: (key: Buffer, checksum: number) => void,
): Promise<string | null> {
  const data = { count: 0, hash: 0 }
  const derived = { count: 0, hash: 0 }
  for await (const chunk of database.entries({
    gte: Buffer.of(keySpace.data),
    lt: Buffer.of(keySpace.index),
  })) {
    for (const [key, envelope] of chunk) {
      const checksum = checksumOf(key, envelope)
      if (checksum === -1) return 'a value does not fit its checksum'
      add(data, checksum)
      onEntry?.(key, checksum)
      const index = indexKeyOf?.(key.subarray(1), valueIn(envelope)) ?? null
      if (index === null) continue
      add(derived, crc32c(databaseKey(keySpace.index, indexEntryKey(index, key.subarray(1)))))
    }
  }
  if (data.count !== expected.entryCount)
    return `${data.count} entries are there, ${expected.entryCount} were written`
  if (data.hash !== expected.setHash) return 'the entries are not those that were written'

  const index = { count: 0, hash: 0 }
  for await (const chunk of database.entries({
    gte: Buffer.of(keySpace.index),
    lt: Buffer.of(keySpace.end),
  })) {
    for (const [key] of chunk) add(index, crc32c(key))
  }
  if (index.count !== derived.count || index.hash !== derived.hash) return 'the index does not fit the values'
  return null
}

function add(set: { count: number; hash: number }, checksum: number): void {
  set.count += 1
  set.hash = (set.hash + checksum) >>> 0
}
