/**
 * An ordered key-value database on disk (LevelDB), as the store needs it. Keys compare bytewise.
 * The simulator implements it with a damage model.
 */
export type DatabaseOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

export interface DatabaseRange {
  readonly gte: Buffer
  readonly lt: Buffer
  /** At most so many entries; all if absent. */
  readonly limit?: number
}

export interface Database {
  getSync(key: Buffer): Buffer | undefined
  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>
  /** All or nothing, also across a crash. `sync`: on disk when it resolves. */
  batch(operations: readonly DatabaseOperation[], options: { readonly sync: boolean }): Promise<void>
  /** Entries in key order, in chunks, from a snapshot of now. */
  entries(range: DatabaseRange): AsyncIterableIterator<(readonly [key: Buffer, value: Buffer])[]>
  close(): Promise<void>
}

export interface DatabaseOpener {
  /** Opens or creates. Throws STATE_DIR_IN_USE, STORE_DAMAGED, STATE_DIR_UNUSABLE. */
  open(directory: string): Promise<Database>
  /** What the database itself says it found wrong while opening (LevelDB's LOG); null if nothing. */
  openingComplaint(directory: string): Promise<string | null>
  /** Deletes the directory. */
  destroy(directory: string): Promise<void>
}
