import { checksumOf, keySpace, seal, valueIn } from './envelope.ts'
import type { CommitMeta, StoreIdentity } from './types.ts'

/**
 * What a store knows of itself, in three records of the meta key space; each is one byte format version and JSON.
 *
 *   identity   what the store belongs to; written when it is made
 *   commit     how far it is, and what must be in it; part of every batch of data
 *   session    which boot of the machine it was last opened in, and whether it was closed cleanly; on disk (synced) before the
 *              first batch of a session, and after the last
 */
export const storeFormatVersion = 1

export interface IdentityRecord {
  readonly identity: StoreIdentity
  /** Of the settings at the time the store was made: for the reader of a dump. The commit's meta has the one that counts. */
  readonly fingerprint: Readonly<Record<string, string>>
}

export interface CommitRecord {
  readonly changelogPosition: number
  readonly meta: CommitMeta | null
  readonly entryCount: number
  /** Sum of all data envelopes' checksums, modulo 2^32. */
  readonly setHash: number
  /** When the store was last known to hold all of the changelog below its position; wall clock, ms. */
  readonly committedAtMs: number
}

export interface SessionRecord {
  readonly bootId: string
  readonly clean: boolean
}

interface MetaRecords {
  identity: IdentityRecord
  commit: CommitRecord
  session: SessionRecord
}

export type MetaName = keyof MetaRecords

export function metaPut<N extends MetaName>(name: N, record: MetaRecords[N]) {
  const json = Buffer.from(JSON.stringify(record))
  const { key, value } = seal(
    keySpace.meta,
    Buffer.from(name),
    Buffer.concat([Buffer.of(storeFormatVersion), json]),
  )
  return { type: 'put', key, value } as const
}

export type MetaReading<N extends MetaName> =
  | { readonly state: 'missing' | 'damaged' }
  | { readonly state: 'other-format'; readonly version: number }
  | { readonly state: 'good'; readonly record: MetaRecords[N] }

export function metaKey(name: MetaName): Buffer {
  return Buffer.concat([Buffer.of(keySpace.meta), Buffer.from(name)])
}

export function readMeta<N extends MetaName>(name: N, envelope: Buffer | undefined): MetaReading<N> {
  if (envelope === undefined) return { state: 'missing' }
  if (checksumOf(metaKey(name), envelope) === -1) return { state: 'damaged' }
  const [version = 0] = valueIn(envelope)
  if (version !== storeFormatVersion) return { state: 'other-format', version }
  const record: MetaRecords[N] = JSON.parse(valueIn(envelope).toString('utf8', 1))
  return { state: 'good', record }
}

export function sameIdentity(a: StoreIdentity, b: StoreIdentity): boolean {
  return (
    a.clusterId === b.clusterId &&
    a.taskId === b.taskId &&
    a.changelogTopic === b.changelogTopic &&
    a.changelogTopicId === b.changelogTopicId &&
    a.partition === b.partition
  )
}
