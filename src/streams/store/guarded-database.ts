import { CodedError } from '../../errors.ts'
import type { Database, DatabaseOperation, DatabaseRange } from '../../ports/database.ts'

/**
 * A database that is dead after its first write error. LevelDB goes on acknowledging batches after a failed write, and loses
 * them; so nothing is written or read any more by a handle that has failed once.
 */
export class GuardedDatabase implements Database {
  readonly #database: Database
  readonly #path: string
  #failure: CodedError | null = null

  constructor(database: Database, path: string) {
    this.#database = database
    this.#path = path
  }

  get hasFailed(): boolean {
    return this.#failure !== null
  }

  /** Throws STORE_WRITE_FAILED if a write has failed before. */
  assertUsable(): void {
    if (this.#failure === null) return
    throw new CodedError('STORE_WRITE_FAILED', {
      operation: 'use of the store after a failed write',
      path: this.#path,
      ...(this.#failure.details.detail === undefined ? {} : { detail: this.#failure.details.detail }),
      cause: this.#failure,
    })
  }

  getSync(key: Buffer): Buffer | undefined {
    this.assertUsable()
    return this.#database.getSync(key)
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    this.assertUsable()
    return this.#database.getMany(keys)
  }

  async batch(operations: readonly DatabaseOperation[], options: { readonly sync: boolean }): Promise<void> {
    this.assertUsable()
    try {
      await this.#database.batch(operations, options)
    } catch (cause) {
      this.#failure = writeFailure(cause, this.#path)
      throw this.#failure
    }
  }

  entries(range: DatabaseRange): AsyncIterableIterator<(readonly [key: Buffer, value: Buffer])[]> {
    this.assertUsable()
    return this.#database.entries(range)
  }

  /** Works on a dead handle too: it frees the lock. */
  async close(): Promise<void> {
    await this.#database.close()
  }
}

/** What the database says of itself stands as it is. */
function writeFailure(cause: unknown, path: string): CodedError {
  if (cause instanceof CodedError && cause.code === 'STORE_WRITE_FAILED') return cause
  return new CodedError('STORE_WRITE_FAILED', {
    operation: 'store batch',
    path,
    detail: cause instanceof Error ? `The batch was refused: ${cause.message}.` : 'The batch was refused.',
    cause,
  })
}
