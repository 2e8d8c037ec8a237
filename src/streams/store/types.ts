import type { StoreKey } from './store-key.ts'

/**
 * The state of one task: a key-value view whose writes stay in memory (the overlay) until their Kafka transaction has
 * committed, over one LevelDB that moves from commit to commit in single batches.
 */

/** Offsets and identities that belong to one commit; the changelog's meta record and the store's meta both hold one. */
export interface CommitMeta {
  /** Version of this format. */
  readonly version: 1
  /** The settings that shape the state, by name. */
  readonly fingerprint: Readonly<Record<string, string>>
  /** Topic ids of all source topics of the topology and of the changelog itself, by topic name. */
  readonly topicIds: Readonly<Record<string, string>>
  /** Next offset to read, by source topic of this task's subtopology. */
  readonly inputOffsets: Readonly<Record<string, number>>
  /** Provenance: up to which offset (exclusive) the store has counted, by original source topic and partition. */
  readonly counted: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Stream time in ms, or null before the first event. */
  readonly streamTime: number | null
}

/** What a store belongs to. A store of another identity is wiped, never misread. */
export interface StoreIdentity {
  readonly clusterId: string
  readonly taskId: string
  readonly changelogTopic: string
  readonly changelogTopicId: string | null
  readonly partition: number
}

/** Derives a local, unlogged index entry from a value, e.g. by when it expires; null for none. */
export type IndexKeyOf = (key: Buffer, value: Buffer) => Buffer | null

export interface StateStoreReader {
  /**
   * Synchronous; sees uncommitted writes. Keys and values are the caller's own copies or views that nobody changes. Who comes with one
   * key several times may come with a `StoreKey`.
   */
  get(key: Buffer | StoreKey): Buffer | null
  getMany(keys: readonly Buffer[]): Promise<(Buffer | null)[]>
  /** Entries with gte <= key < lt in key order (bytewise), uncommitted writes included. */
  range(options: { gte: Buffer; lt: Buffer; limit?: number }): Promise<[Buffer, Buffer][]>
}

export interface StateStore extends StateStoreReader {
  put(key: Buffer | StoreKey, value: Buffer): void
  delete(key: Buffer | StoreKey): void
  /**
   * Keys whose index entry is below `lt` (bytewise), in index order, at most `limit`. Each entry is checked against the value it
   * was derived from; STORE_DAMAGED where they do not fit.
   */
  indexed(options: { lt: Buffer; limit: number }): Promise<{ index: Buffer; key: Buffer; value: Buffer }[]>
}

export interface ChangelogWrite {
  readonly key: StoreKey
  /** Null deletes. */
  readonly value: Buffer | null
}

/** Why a store was wiped, for the log and `store_wipes_total{reason}`. */
export type WipeReason = 'damaged' | 'foreign' | 'format' | 'beyond-end' | 'too-old' | 'write-failed'
