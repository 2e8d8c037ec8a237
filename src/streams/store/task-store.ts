import { CodedError } from '../../errors.ts'
import { CommittedStore } from './committed-store.ts'
import { indexBound } from './index-entry.ts'
import { Overlay, type OverlayView } from './overlay.ts'
import { StoreKey } from './store-key.ts'
import type { StoreOptions } from './store-opening.ts'
import type { ChangelogWrite, CommitMeta, StateStore, WipeReason } from './types.ts'

/**
 * The state store of one task: an overlay of uncommitted writes over what is committed. Reads see the newest layer that knows
 * the key. Writes reach the database by `commitFrozen` alone, once their transaction has been committed.
 *
 *   put, delete          into the current overlay
 *   freeze               commit step 1: the current overlay is frozen, a new one takes writes
 *   commitFrozen         commit step 5: the frozen overlay, position and meta in one batch
 *   dropUncommitted      abort: back to what is committed
 */
export class TaskStore implements StateStore {
  readonly #committed: CommittedStore
  readonly #options: StoreOptions
  readonly #overlay = new Overlay()

  /**
   * Verifies the store, and wipes and reopens it empty where it cannot be proved right. Throws STATE_DIR_IN_USE,
   * STATE_DIR_UNUSABLE, FORMAT_TOO_NEW, STORE_WRITE_FAILED.
   */
  static async open(options: StoreOptions): Promise<TaskStore> {
    return new TaskStore(options, await CommittedStore.open(options))
  }

  private constructor(options: StoreOptions, committed: CommittedStore) {
    this.#options = options
    this.#committed = committed
  }

  /** The next changelog offset to apply; 0 if the store is empty. */
  get changelogPosition(): number {
    return this.#committed.commit.changelogPosition
  }

  get meta(): CommitMeta | null {
    return this.#committed.commit.meta
  }

  /** Committed entries. */
  get entryCount(): number {
    return this.#committed.commit.entryCount
  }

  get overlaySizeInBytes(): number {
    return this.#overlay.sizeInBytes
  }

  get(key: Buffer | StoreKey): Buffer | null {
    this.#committed.assertUsable()
    const known = StoreKey.of(key)
    const entry = this.#overlay.get(known.name)
    return entry === undefined ? this.#committed.get(known) : entry.value
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | null)[]> {
    this.#committed.assertUsable()
    const known = keys.map((key) => StoreKey.of(key))
    const entries = known.map(({ name }) => this.#overlay.get(name))
    const below = known.filter((_, at) => entries[at] === undefined)
    const committed = below.length === 0 ? [] : await this.#committed.getMany(below)
    let taken = 0
    return entries.map((entry) => {
      if (entry !== undefined) return entry.value
      taken += 1
      return committed[taken - 1] ?? null
    })
  }

  async range({ gte, lt, limit }: { gte: Buffer; lt: Buffer; limit?: number }): Promise<[Buffer, Buffer][]> {
    this.#committed.assertUsable()
    if (Buffer.compare(gte, lt) >= 0 || limit === 0) return []
    const view = this.#overlay.view()
    const pending = view.range(gte, lt)
    // Each uncommitted entry hides one committed entry at the most.
    const enough = limit === undefined ? undefined : limit + pending.length
    const committed: (readonly [string, [Buffer, Buffer]])[] = []
    for await (const chunk of this.#committed.range(gte, lt, enough)) {
      for (const [key, value] of chunk) {
        const name = key.toString('latin1')
        if (view.get(name) === undefined) committed.push([name, [key, value]])
      }
    }
    const uncommitted: (readonly [string, [Buffer, Buffer]])[] = []
    for (const [name, { key, value }] of pending) {
      if (value !== null) uncommitted.push([name, [key.bytes, value]])
    }
    return merge(committed, uncommitted, limit)
  }

  /** As `range`, of what has been committed alone, in chunks. */
  committedChunks({
    gte,
    lt,
    limit,
  }: {
    gte: Buffer
    lt: Buffer
    limit: number
  }): AsyncIterable<[Buffer, Buffer][]> {
    this.#committed.assertUsable()
    return this.#committed.range(gte, lt, limit)
  }

  async indexed({ lt, limit }: { lt: Buffer; limit: number }): Promise<IndexedEntry[]> {
    this.#committed.assertUsable()
    const { indexKeyOf } = this.#options
    if (indexKeyOf === undefined || limit === 0) return []
    const view = this.#overlay.view()
    const uncommitted: (readonly [string, IndexedEntry])[] = []
    for (const [name, { key, value }] of view.indexed(indexBound(lt), indexKeyOf)) {
      const index = value === null ? null : indexKeyOf(key.bytes, value)
      if (value !== null && index !== null) uncommitted.push([name, { index, key: key.bytes, value }])
    }
    return merge(await this.#committedIndexed(lt, limit, view), uncommitted, limit)
  }

  put(key: Buffer | StoreKey, value: Buffer): void {
    this.#committed.assertUsable()
    this.#overlay.write(StoreKey.of(key), value)
  }

  delete(key: Buffer | StoreKey): void {
    this.#committed.assertUsable()
    this.#overlay.write(StoreKey.of(key), null)
  }

  /**
   * Applies committed changelog records, with the position after them, in one batch. Resolves when the store can take the next
   * ones; the batch may still be under way until `finishRestore`. `meta`: the last one among them, or null for no news.
   */
  async applyRestored(
    writes: readonly ChangelogWrite[],
    changelogPosition: number,
    meta: CommitMeta | null,
  ): Promise<void> {
    await this.#committed.restore(writes, changelogPosition, meta)
  }

  /** All restored batches are written, and the store counts as up to date as of now. */
  async finishRestore(): Promise<void> {
    await this.#committed.finishRestore()
  }

  /** The writes since the last freeze, one per key, in the order of their first write. */
  freeze(): ChangelogWrite[] {
    this.#committed.assertUsable()
    if (this.#overlay.isFrozen) throw this.#internal('freeze', 'an overlay is frozen already')
    return this.#overlay.freeze()
  }

  async commitFrozen(changelogPosition: number, meta: CommitMeta): Promise<void> {
    if (!this.#overlay.isFrozen) throw this.#internal('commitFrozen', 'no overlay is frozen')
    await this.#committed.write(this.#overlay.frozenWrites(), changelogPosition, meta)
    this.#overlay.dropFrozen()
  }

  dropUncommitted(): void {
    this.#overlay.drop()
  }

  /** Drops what is uncommitted. `clean` leaves the mark that spares the next start a scan; the mark is on disk when this resolves. */
  async close({ clean }: { readonly clean: boolean }): Promise<void> {
    this.#overlay.drop()
    await this.#committed.close({ clean })
  }

  /** Empties the store; afterwards it is usable, at position 0. Also mends a store whose writes have failed. */
  async wipe(reason: WipeReason, detail: string): Promise<void> {
    this.#overlay.drop()
    await this.#committed.wipe(reason, detail)
  }

  /**
   * The first `limit` committed index entries below `lt` whose key has no uncommitted write. Each is held against its value.
   * Where they differ although nothing was written meanwhile, the store is damaged, for every batch keeps the two together.
   */
  async #committedIndexed(
    lt: Buffer,
    limit: number,
    view: OverlayView,
  ): Promise<(readonly [string, IndexedEntry])[]> {
    const batchesBefore = this.#committed.batchesStarted
    const found: (readonly [string, IndexedEntry])[] = []
    for await (const chunk of this.#committed.indexed(lt)) {
      const candidates = chunk.filter(({ key }) => view.get(key.toString('latin1')) === undefined)
      const wanted = candidates.slice(0, limit - found.length)
      const values = await this.#committed.getMany(wanted.map(({ key }) => StoreKey.of(key)))
      wanted.forEach(({ entryKey, index, key }, at) => {
        const value = values[at] ?? null
        const expected = value === null ? null : (this.#options.indexKeyOf?.(key, value) ?? null)
        if (value !== null && expected?.equals(index) === true) {
          found.push([entryKey.toString('latin1'), { index, key, value }])
        } else if (batchesBefore === this.#committed.batchesStarted) {
          throw new CodedError('STORE_DAMAGED', {
            operation: 'read index',
            task: this.#options.identity.taskId,
            path: this.#options.directory,
            detail: 'An index entry does not fit the value it was derived from.',
          })
        }
      })
      if (found.length >= limit) break
    }
    return found
  }

  #internal(operation: string, detail: string): CodedError {
    return new CodedError('INTERNAL', {
      operation,
      task: this.#options.identity.taskId,
      detail: `${detail}.`,
    })
  }
}

interface IndexedEntry {
  readonly index: Buffer
  readonly key: Buffer
  readonly value: Buffer
}

/** Two sorted lists without common names as one, cut at `limit`. */
function merge<T>(
  a: readonly (readonly [string, T])[],
  b: readonly (readonly [string, T])[],
  limit = Number.POSITIVE_INFINITY,
): T[] {
  const merged: T[] = []
  let atA = 0
  let atB = 0
  while (merged.length < limit) {
    const nextA = a[atA]
    const nextB = b[atB]
    const next = nextB === undefined || (nextA !== undefined && nextA[0] < nextB[0]) ? nextA : nextB
    if (next === undefined) break
    if (next === nextA) atA += 1
    else atB += 1
    merged.push(next[1])
  }
  return merged
}
