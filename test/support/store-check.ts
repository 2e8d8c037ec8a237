/**
 * The part of the oracle that looks into the stores: what a store holds must be the changelog, folded up to the store's position.
 *
 *   1. the committed records of the changelog are read, by the reader that shares no code with the processor
 *   2. every store in the state directory, of whatever slot, is opened as a copy, so that looking changes nothing
 *   3. its data entries are compared, byte for byte, with the last values below its position; tombstones delete
 *   4. each partition with records must have a store that is current, that is, behind none of them
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database } from '../../src/ports/database.ts'
import { checksumOf, keySpace, valueIn } from '../../src/streams/store/envelope.ts'
import { metaKey, readMeta } from '../../src/streams/store/store-meta.ts'
import { systemClock } from '../../src/system/clock.ts'
import { type KafkaRecord, readCommitted } from '../../src/verify/index.ts'
import type { Application } from './application.ts'
import { changelogOf } from './changelog.ts'
import { entriesOf, withDatabase } from './damage.ts'
import { WrongCounts } from './wrong-counts.ts'

/** To be called when all processors of the application have ended. Throws WrongCounts. */
export async function expectStoresAgree(application: Application): Promise<void> {
  const changelog = await committedRecords(application)
  const current = new Set<number>()
  for (const store of storesOf(application)) {
    const copy = mkdtempSync(join(tmpdir(), 'store-copy-'))
    try {
      cpSync(store, copy, { recursive: true })
      await withDatabase(copy, async (database) => {
        const { partition, position, entryCount } = stateOf(database, store)
        const records = changelog[partition] ?? []
        const entries = await entriesOf(database, keySpace.data)
        const differences = differencesBetween(entries, records, position)
        if (entries.length !== entryCount) differences.push(`${entries.length} entries, not ${entryCount}`)
        if (differences.length > 0) {
          const some = differences.slice(0, 10).join('\n')
          throw new WrongCounts(`store ${store} at ${position}:\n${some}`, differences.length)
        }
        if (position > (records.at(-1)?.offset ?? -1)) current.add(partition)
      })
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  }
  for (const [partition, records] of changelog.entries()) {
    if (records.length > 0 && !current.has(partition))
      throw new Error(`no store has all of partition ${partition}`)
  }
}

/** By partition, in the order of offsets. */
async function committedRecords(application: Application): Promise<KafkaRecord[][]> {
  const records: KafkaRecord[][] = []
  const { brokers } = application.config
  const ends = await readCommitted(
    { brokers },
    changelogOf(application),
    { clock: systemClock },
    (record, at) => {
      records[at] ??= []
      records[at].push(record)
    },
  )
  return ends.map((_, partition) => records[partition] ?? [])
}

/** The directories of all stores, of all slots. */
function storesOf({ config }: Application): string[] {
  const slots = join(config.stateDir, config.appId)
  if (!existsSync(slots)) return []
  return readdirSync(slots).flatMap((slot) =>
    readdirSync(join(slots, slot))
      .filter((name) => /^\d+_\d+$/.test(name))
      .map((task) => join(slots, slot, task)),
  )
}

function stateOf(
  database: Database,
  store: string,
): { partition: number; position: number; entryCount: number } {
  const identity = readMeta('identity', database.getSync(metaKey('identity')))
  const commit = readMeta('commit', database.getSync(metaKey('commit')))
  if (identity.state !== 'good' || commit.state !== 'good')
    throw new Error(`${store} has no whole meta records`)
  const { changelogPosition: position, entryCount } = commit.record
  return { partition: identity.record.identity.partition, position, entryCount }
}

/** Keys stand in the changelog as they do in the database: one byte that says that it is an entry, and the key. */
function differencesBetween(
  entries: readonly (readonly [key: Buffer, envelope: Buffer])[],
  records: readonly KafkaRecord[],
  position: number,
): string[] {
  const expected = new Map<string, Buffer>()
  const changedLater = new Set<string>()
  for (const { key, value, offset } of records) {
    if (key?.[0] !== keySpace.data) continue
    const name = key.toString('latin1')
    if (offset >= position) changedLater.add(name)
    else if (value === null) expected.delete(name)
    else expected.set(name, value)
  }
  const differences: string[] = []
  for (const [key, envelope] of entries) {
    const name = key.toString('latin1')
    const own = valueIn(envelope)
    const value = expected.get(name)
    expected.delete(name)
    // Compaction may have taken the value that a store behind the end still has.
    if (value === undefined && changedLater.has(name)) continue
    if (checksumOf(key, envelope) === -1) differences.push(`${name} does not fit its checksum`)
    else if (value === undefined || !own.equals(value))
      differences.push(`${name} is ${own.toString('hex')}, not ${value?.toString('hex') ?? 'deleted'}`)
  }
  for (const name of expected.keys()) differences.push(`${name} is not there`)
  return differences
}
