import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Database, DatabaseOpener, DatabaseOperation } from '../../ports/database.ts'
import type { Log } from '../../ports/log.ts'
import type { CacheBudget } from './cache-budget.ts'
import { type ChecksumLimits, defaultChecksumLimits, EntryChecksums } from './entry-checksums.ts'
import { keySpace } from './envelope.ts'
import { GuardedDatabase } from './guarded-database.ts'
import {
  type CommitRecord,
  metaKey,
  metaPut,
  readMeta,
  type SessionRecord,
  sameIdentity,
  storeFormatVersion,
} from './store-meta.ts'
import { findDamage } from './store-scan.ts'
import type { IndexKeyOf, StoreIdentity, WipeReason } from './types.ts'

/**
 * Opens a store so that it is either proved right or empty:
 *
 *   1. LevelDB opens, and its own LOG tells of nothing that it dropped             else wipe: damaged
 *   2. the three meta records are there and whole, or the store is wholly empty     else wipe: damaged
 *   3. its format is ours                                                           older: wipe, newer: FORMAT_TOO_NEW
 *   4. it belongs to this task                                                      else wipe: foreign
 *   5. its last commit is younger than what the changelog keeps of deletions        else wipe: too-old
 *   6. it was closed cleanly, or the machine has not gone down since it was open    else scan, and wipe if wrong: damaged
 *   7. the session record says that it is open, on disk
 *
 * A small store is scanned every time, for that takes no time. A mere kill never costs more than that: what the kernel
 * has taken from a process survives the process.
 */
export interface StoreOptions {
  readonly directory: string
  readonly opener: DatabaseOpener
  /** Changes when the machine restarts. */
  readonly bootId: string
  readonly clock: Clock
  readonly log: Log
  readonly identity: StoreIdentity
  readonly fingerprint: Readonly<Record<string, string>>
  readonly indexKeyOf?: IndexKeyOf | undefined
  /** The changelog's `delete.retention.ms`: in an older store, deleted keys could come back. */
  readonly maxAgeMs: number
  readonly onWipe: (reason: WipeReason, detail: string) => void
  /** Scans at every opening. */
  readonly paranoid?: boolean
  /** What the cache of committed values has a share of; one of its own by default. */
  readonly cacheBudget?: CacheBudget
  readonly checksumLimits?: ChecksumLimits
}

export interface OpenStore {
  readonly database: GuardedDatabase
  readonly commit: CommitRecord
  /** Of all entries, where the store is small enough; else null. */
  readonly checksums: EntryChecksums | null
}

/** So many entries are scanned in some 50 ms. */
const alwaysScannedEntries = 20_000

export async function openStore(options: StoreOptions): Promise<OpenStore> {
  const opened = await openDatabase(options)
  if (!('reason' in opened)) {
    const verdict = await judge(opened, options).catch(async (error: unknown) => {
      if (error instanceof CodedError && error.code === 'STORE_DAMAGED') return damaged(error.message)
      await opened.close()
      throw error
    })
    if (verdict.kind === 'good') return startSession(opened, options, verdict)
    if (verdict.kind === 'new') return createStore(opened, options)
    await opened.close()
    return wipeStore(options, verdict.reason, verdict.detail)
  }
  return wipeStore(options, opened.reason, opened.detail)
}

/** Deletes the directory of a closed store and opens it anew, empty. */
export async function wipeStore(
  options: StoreOptions,
  reason: WipeReason,
  detail: string,
): Promise<OpenStore> {
  options.log.warn(
    { task: options.identity.taskId, path: options.directory, reason, detail },
    'The local store is wiped; it will be restored from the changelog',
  )
  options.onWipe(reason, detail)
  await options.opener.destroy(options.directory)
  return createStore(await options.opener.open(options.directory), options)
}

type Verdict =
  | { readonly kind: 'good'; readonly commit: CommitRecord; readonly checksums: EntryChecksums | null }
  | { readonly kind: 'new' }
  | { readonly kind: 'wipe'; readonly reason: WipeReason; readonly detail: string }

const wipe = (reason: WipeReason, detail: string): Verdict => ({ kind: 'wipe', reason, detail })
const damaged = (detail: string): Verdict => wipe('damaged', detail)

async function openDatabase({ opener, directory }: StoreOptions) {
  try {
    return await opener.open(directory)
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'STORE_DAMAGED') throw error
    return { reason: 'damaged', detail: error.message } as const
  }
}

async function judge(database: Database, options: StoreOptions): Promise<Verdict> {
  const complaint = await options.opener.openingComplaint(options.directory)
  if (complaint !== null) return damaged(complaint)

  const identity = readMeta('identity', database.getSync(metaKey('identity')))
  const commit = readMeta('commit', database.getSync(metaKey('commit')))
  const session = readMeta('session', database.getSync(metaKey('session')))
  for (const reading of [identity, commit, session]) {
    if (reading.state !== 'other-format') continue
    if (reading.version < storeFormatVersion) return wipe('format', `format version ${reading.version}`)
    throw new CodedError('FORMAT_TOO_NEW', {
      operation: 'open store',
      task: options.identity.taskId,
      path: options.directory,
      detail: `Its format version is ${reading.version}, this program knows ${storeFormatVersion}.`,
    })
  }
  if (identity.state !== 'good' || commit.state !== 'good' || session.state !== 'good') {
    return (await isEmpty(database)) ? { kind: 'new' } : damaged('its meta records are gone or damaged')
  }
  if (!sameIdentity(identity.record.identity, options.identity)) {
    return wipe('foreign', `it belongs to ${JSON.stringify(identity.record.identity)}`)
  }
  const ageMs = options.clock.now() - commit.record.committedAtMs
  if (ageMs > options.maxAgeMs) return wipe('too-old', `its last commit was ${ageMs} ms ago`)
  const isScanned = mustScan(session.record, commit.record, options)
  const { afterwards } = options.checksumLimits ?? defaultChecksumLimits
  const checksums = isScanned && commit.record.entryCount <= afterwards ? new EntryChecksums() : null
  if (isScanned) {
    const damage = await findDamage(database, commit.record, options.indexKeyOf, (key, checksum) =>
      checksums?.exchange(key, checksum),
    )
    if (damage !== null) return damaged(damage)
  }
  return { kind: 'good', commit: commit.record, checksums }
}

function mustScan(session: SessionRecord, commit: CommitRecord, options: StoreOptions): boolean {
  if (options.paranoid === true || commit.entryCount <= alwaysScannedEntries) return true
  return !session.clean && session.bootId !== options.bootId
}

async function isEmpty(database: Database): Promise<boolean> {
  const everything = { gte: Buffer.of(keySpace.meta), lt: Buffer.of(keySpace.end), limit: 1 }
  for await (const chunk of database.entries(everything)) if (chunk.length > 0) return false
  return true
}

function createStore(database: Database, options: StoreOptions): Promise<OpenStore> {
  const { identity, fingerprint, clock } = options
  const commit = {
    changelogPosition: 0,
    meta: null,
    entryCount: 0,
    setHash: 0,
    committedAtMs: clock.now(),
  }
  const records = [metaPut('identity', { identity, fingerprint }), metaPut('commit', commit)]
  const checksums = new EntryChecksums(options.checksumLimits?.whileFilling)
  return startSession(database, options, { commit, checksums }, records)
}

async function startSession(
  database: Database,
  { directory, bootId }: StoreOptions,
  { commit, checksums }: Pick<OpenStore, 'commit' | 'checksums'>,
  records: DatabaseOperation[] = [],
): Promise<OpenStore> {
  const guarded = new GuardedDatabase(database, directory)
  try {
    await guarded.batch([...records, metaPut('session', { bootId, clean: false })], { sync: true })
  } catch (error) {
    await guarded.close()
    throw error
  }
  return { database: guarded, commit, checksums }
}
