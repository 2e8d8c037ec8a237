import { CodedError } from '../../errors.ts'
import type { DatabaseOperation } from '../../ports/database.ts'
import { SerialQueue } from '../serial-queue.ts'
import { CacheBudget } from './cache-budget.ts'
import { CommittedCache, type CommittedValue, noValue } from './committed-cache.ts'
import { absent, defaultChecksumLimits, type EntryChecksums } from './entry-checksums.ts'
import { checksumOf, databaseKey, envelopeOf, keySpace, valueIn } from './envelope.ts'
import type { GuardedDatabase } from './guarded-database.ts'
import { indexBound, moveIndexEntry, parseIndexEntry } from './index-entry.ts'
import { ReplacedInTurn, ReplacedOnce, type ReplacedValues } from './replaced-values.ts'
import type { StoreKey } from './store-key.ts'
import { type CommitRecord, metaPut } from './store-meta.ts'
import { type OpenStore, openStore, type StoreOptions, wipeStore } from './store-opening.ts'
import type { ChangelogWrite, CommitMeta, WipeReason } from './types.ts'

/**
 * What has been committed: LevelDB with checked envelopes, an exact index, and a record of how much must be in it.
 *
 *  - Every batch holds data, index, changelog position and counts together; batches are written one after the other.
 *  - The cache holds what the database holds or is about to hold. A value that was read while a batch was under way may be older
 *    than that, and does not enter it.
 *  - Count and set hash move with each write by what it replaces, which is looked up in the cache, in the checksums of a restore
 *    that began empty, or in the database.
 *  - Of a store that is not too large, the checksum of each entry is in memory, and what is read is held against it: LevelDB gives
 *    an older value, or none, where a bit flips in a table after the opening.
 */
export interface IndexedKey {
  /** Key of the index entry in the database, by which entries are ordered. */
  readonly entryKey: Buffer
  readonly index: Buffer
  readonly key: Buffer
}

export class CommittedStore {
  readonly #options: StoreOptions
  readonly #cacheBudget: CacheBudget
  readonly #cache: CommittedCache
  #database: GuardedDatabase
  #commit: CommitRecord
  /** Of all entries, as of the newest batch prepared; null where they are too many or not known. */
  #checksums: EntryChecksums | null
  /** A restore that began empty goes on. */
  #isFilling: boolean
  /** What the batch that is prepared or under way writes, by name: a read may see it or not. */
  #changing: ReplacedValues | null = null
  /** One caller at a time prepares and writes. */
  readonly #queue = new SerialQueue()
  /** The batch that a restore has left under way. */
  #inFlight: Promise<void> = Promise.resolve()
  #batchesStarted = 0
  #batchesEnded = 0

  static async open(options: StoreOptions): Promise<CommittedStore> {
    return new CommittedStore(options, await openStore(options))
  }

  private constructor(options: StoreOptions, { database, commit, checksums }: OpenStore) {
    this.#options = options
    this.#cacheBudget = options.cacheBudget ?? new CacheBudget()
    this.#cacheBudget.join()
    this.#cache = new CommittedCache(this.#cacheBudget)
    this.#database = database
    this.#commit = commit
    this.#checksums = checksums
    this.#isFilling = commit.entryCount === 0
  }

  get commit(): CommitRecord {
    return this.#commit
  }

  get batchesStarted(): number {
    return this.#batchesStarted
  }

  assertUsable(): void {
    this.#database.assertUsable()
  }

  get(key: StoreKey): Buffer | null {
    this.#database.assertUsable()
    const known = this.#known(key)
    if (known !== undefined) return known.value
    const read = this.#checked(key, this.#database.getSync(key.stored))
    if (this.#isQuiet) this.#cache.set(key.stored, read)
    return read.value
  }

  async getMany(keys: readonly StoreKey[]): Promise<(Buffer | null)[]> {
    return (await this.#lookUp(keys)).map(({ value }) => value)
  }

  /** Entries with gte <= key < lt as of now, in key order, in chunks. */
  async *range(gte: Buffer, lt: Buffer, limit?: number): AsyncGenerator<[Buffer, Buffer][]> {
    const bounds = { gte: databaseKey(keySpace.data, gte), lt: databaseKey(keySpace.data, lt) }
    const chunks = this.#database.entries(limit === undefined ? bounds : { ...bounds, limit })
    for await (const chunk of chunks) {
      yield chunk.map(([key, envelope]) => {
        if (checksumOf(key, envelope) === -1) throw this.#damage('a value does not fit its checksum')
        return [key.subarray(1), valueIn(envelope)]
      })
    }
  }

  /** Index entries below index `lt` as of now, in index order, in chunks. */
  async *indexed(lt: Buffer): AsyncGenerator<IndexedKey[]> {
    for await (const chunk of this.#database.entries({
      gte: Buffer.of(keySpace.index),
      lt: indexBound(lt),
    })) {
      yield chunk.map(([entryKey, envelope]) => {
        const entry = checksumOf(entryKey, envelope) === -1 ? null : parseIndexEntry(entryKey)
        if (entry === null) throw this.#damage('an index entry does not fit its checksum')
        return { entryKey, ...entry }
      })
    }
  }

  /** Writes data, position and meta in one batch; resolves when it is written. No key comes twice. */
  write(writes: readonly ChangelogWrite[], changelogPosition: number, meta: CommitMeta): Promise<void> {
    return this.#queue.run(async () => {
      await this.#inFlight
      this.#endFilling()
      const committedAtMs = this.#options.clock.now()
      await this.#startBatch(writes, { changelogPosition, meta, committedAtMs }, { eachOnce: true })
      await this.#inFlight
    })
  }

  /** The same, except that it resolves when the store can take the next batch: this one may still be under way. */
  restore(
    writes: readonly ChangelogWrite[],
    changelogPosition: number,
    meta: CommitMeta | null,
  ): Promise<void> {
    return this.#queue.run(async () => {
      const { committedAtMs } = this.#commit
      await this.#startBatch(writes, { changelogPosition, meta: meta ?? this.#commit.meta, committedAtMs })
    })
  }

  /** Waits for the last batch, and notes that the store holds all of the changelog as of now. */
  finishRestore(): Promise<void> {
    return this.#queue.run(async () => {
      await this.#inFlight
      this.#endFilling()
      await this.#startBatch([], { ...this.#commit, committedAtMs: this.#options.clock.now() })
      await this.#inFlight
    })
  }

  wipe(reason: WipeReason, detail: string): Promise<void> {
    return this.#queue.run(async () => {
      await this.#settled()
      await this.#database.close()
      const { database, commit, checksums } = await wipeStore(this.#options, reason, detail)
      this.#database = database
      this.#commit = commit
      this.#checksums = checksums
      this.#isFilling = true
      this.#changing = null
      this.#cache.clear()
      this.#inFlight = Promise.resolve()
      this.#batchesEnded = this.#batchesStarted
    })
  }

  /**
   * Cleanly: the mark is written, on disk when this resolves. After a failed write the store is unknown: it is deleted, which
   * takes no space on a full disk, and the next start restores it.
   */
  close({ clean }: { readonly clean: boolean }): Promise<void> {
    return this.#queue.run(async () => {
      await this.#settled()
      const { bootId } = this.#options
      try {
        if (clean && !this.#database.hasFailed) {
          await this.#database.batch([metaPut('session', { bootId, clean: true })], { sync: true })
        }
      } finally {
        this.#cacheBudget.leave()
        await this.#database.close()
        if (this.#database.hasFailed) await this.#deleteUnknown()
      }
    })
  }

  async #deleteUnknown(): Promise<void> {
    const { opener, directory, onWipe, log } = this.#options
    onWipe('write-failed', 'a write has failed, so what the store holds is not known')
    await opener.destroy(directory).catch((error: unknown) => {
      log.error({ path: directory, err: error }, 'The store cannot be deleted; delete it by hand')
    })
  }

  /** What is read now may enter the cache. In a bulk restore it may not, so that the cache need not be kept right for it. */
  get #isQuiet(): boolean {
    return this.#batchesStarted === this.#batchesEnded && !this.#isFilling
  }

  /** From now on the cache is in use, and checksums are kept only if they are few. */
  #endFilling(): void {
    this.#isFilling = false
    const { afterwards } = this.#options.checksumLimits ?? defaultChecksumLimits
    if (this.#checksums !== null && this.#checksums.keyCount > afterwards) this.#checksums = null
  }

  /** The batch under way has ended, well or not; a failure stays in the guarded database. */
  #settled(): Promise<void> {
    return this.#inFlight.catch(ignoreHere)
  }

  async #startBatch(
    writes: readonly ChangelogWrite[],
    move: Pick<CommitRecord, 'changelogPosition' | 'meta' | 'committedAtMs'>,
    { eachOnce = false }: { readonly eachOnce?: boolean } = {},
  ): Promise<void> {
    this.#database.assertUsable()
    if (this.#checksums?.hasRoomFor(writes.length) === false) {
      this.#checksums = null
      this.#isFilling = false
    }
    const replaced = eachOnce ? await this.#replacedByCommit(writes) : await this.#replacedByRestore(writes)
    // While the batch before this one may still be under way: what is prepared goes by the cache, which is ahead of it.
    const { operations, entryCount, setHash } = this.#prepare(writes, replaced)
    this.#changing = replaced
    this.#batchesStarted += 1
    const commit = { ...move, entryCount, setHash }
    operations.push(metaPut('commit', commit))
    await this.#inFlight
    this.#commit = commit
    this.#inFlight = this.#database.batch(operations, { sync: false }).finally(() => {
      this.#batchesEnded += 1
      if (this.#changing === replaced) this.#changing = null
    })
    // Whoever awaits `inFlight` next gets the failure, and until then the guarded database remembers it.
    this.#inFlight.catch(ignoreHere)
  }

  async #replacedByCommit(writes: readonly ChangelogWrite[]): Promise<ReplacedValues> {
    return new ReplacedOnce(writes, await this.#lookUp(writes.map(({ key }) => key)))
  }

  /**
   * What the writes replace, by name: from the cache or the database. In a restore that began empty, what the checksums do not know
   * replaces nothing, and has no name made for it. Null where the checksums are all that is needed.
   */
  async #replacedByRestore(writes: readonly ChangelogWrite[]): Promise<ReplacedValues | null> {
    const checksums = this.#isFilling ? this.#checksums : null
    // Without an index, the checksum is all that is needed of a replaced value.
    if (checksums !== null && this.#options.indexKeyOf === undefined) return null
    const stored = new Map<string, CommittedValue>()
    const unknown = new Map<string, StoreKey>()
    for (const { key } of writes) {
      if (checksums?.get(key.stored) === absent) continue
      const { name } = key
      const known = this.#cache.get(key.stored)
      if (known === undefined) unknown.set(name, key)
      else stored.set(name, known)
    }
    const replaced = new ReplacedInTurn(stored, checksums !== null)
    if (unknown.size === 0) return replaced
    await this.#inFlight
    const values = await this.#lookUp([...unknown.values()])
    let at = 0
    for (const name of unknown.keys()) {
      stored.set(name, values[at] ?? noValue)
      at += 1
    }
    return replaced
  }

  #prepare(writes: readonly ChangelogWrite[], replaced: ReplacedValues | null) {
    const operations: DatabaseOperation[] = []
    let { entryCount, setHash } = this.#commit
    const { indexKeyOf } = this.#options
    for (const { key, value } of writes) {
      const entry = value === null ? null : envelopeOf(key.stored, value)
      if (entry === null) operations.push({ type: 'del', key: key.stored })
      else operations.push({ type: 'put', key: key.stored, value: entry.envelope })

      let oldChecksum = this.#checksums?.exchange(key.stored, entry?.checksum ?? absent) ?? absent
      if (replaced !== null) {
        const now = entry === null ? noValue : { value, checksum: entry.checksum }
        const old = replaced.exchange(key, now, this.#isFilling && oldChecksum === absent)
        // A restore that began empty leaves the cache so: it would only pass through.
        if (!this.#isFilling) this.#cache.set(key.stored, now)
        if (indexKeyOf !== undefined) moveIndexEntry(operations, indexKeyOf, key, old.value, value)
        oldChecksum = old.value === null ? absent : old.checksum
      }
      if (oldChecksum !== absent) {
        entryCount -= 1
        setHash -= oldChecksum
      }
      if (entry !== null) {
        entryCount += 1
        setHash += entry.checksum
      }
    }
    return { operations, entryCount, setHash: modulo32(setHash) }
  }

  /** What is known without the database; undefined for nothing. A key that the checksums do not have is not in the store. */
  #known({ stored }: StoreKey): CommittedValue | undefined {
    return this.#cache.get(stored) ?? (this.#checksums?.get(stored) === absent ? noValue : undefined)
  }

  async #lookUp(keys: readonly StoreKey[]): Promise<CommittedValue[]> {
    this.#database.assertUsable()
    const known = keys.map((key) => this.#known(key))
    const unknown = keys.filter((_, at) => known[at] === undefined)
    const read = unknown.length === 0 ? [] : await this.#readMany(unknown)
    let taken = 0
    return known.map((value) => {
      if (value !== undefined) return value
      taken += 1
      return read[taken - 1] ?? noValue
    })
  }

  async #readMany(keys: readonly StoreKey[]): Promise<CommittedValue[]> {
    const quietSince = this.#isQuiet ? this.#batchesStarted : -1
    const envelopes = await this.#database.getMany(keys.map(({ stored }) => stored))
    const found: CommittedValue[] = []
    for (const [n, key] of keys.entries()) {
      let read = this.#whole(key, envelopes[n])
      if (!this.#isWrittenLast(key, read)) {
        // A batch may have been written since the read began. Without one under way there is no excuse.
        await this.#settled()
        read = this.#cache.get(key.stored) ?? this.#checked(key, this.#database.getSync(key.stored))
      }
      found.push(read)
      if (quietSince === this.#batchesStarted) this.#cache.set(key.stored, read)
    }
    return found
  }

  /** Throws STORE_DAMAGED where it is not whole, or not what was written last. */
  #checked(key: StoreKey, envelope: Buffer | undefined): CommittedValue {
    const read = this.#whole(key, envelope)
    if (this.#isWrittenLast(key, read)) return read
    throw this.#damage(read.value === null ? 'an entry is gone' : 'an older value has come back')
  }

  #whole({ stored }: StoreKey, envelope: Buffer | undefined): CommittedValue {
    if (envelope === undefined) return noValue
    const checksum = checksumOf(stored, envelope)
    if (checksum === -1) throw this.#damage('a value does not fit its checksum')
    return { value: valueIn(envelope), checksum }
  }

  /** True also where nobody knows. */
  #isWrittenLast({ name, stored }: StoreKey, { value, checksum }: CommittedValue): boolean {
    if (this.#checksums === null || this.#changing?.has(name) === true) return true
    return this.#checksums.get(stored) === (value === null ? absent : checksum)
  }

  #damage(detail: string): CodedError {
    const { identity, directory } = this.#options
    return new CodedError('STORE_DAMAGED', {
      operation: 'read store',
      task: identity.taskId,
      path: directory,
      detail: `${detail}.`,
    })
  }
}

const ignoreHere = (): void => {
  // The failure is thrown to the caller of the operation that failed, and remembered by the guarded database.
}

/** Sums of at most some millions of 32-bit numbers are exact before this. */
function modulo32(sum: number): number {
  return sum - Math.floor(sum / 0x1_0000_0000) * 0x1_0000_0000
}
