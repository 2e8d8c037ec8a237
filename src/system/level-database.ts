import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Level } from 'level'
import { CodedError } from '../errors.ts'
import type { Database, DatabaseOpener, DatabaseOperation, DatabaseRange } from '../ports/database.ts'
import { tableDamage } from './level-table.ts'
import { asStateDirError, probeWritable } from './state-files.ts'

/**
 * LevelDB behind the database port. What LevelDB does not do by itself is done here:
 *
 *  - A directory with data and without CURRENT is damaged; LevelDB would make a new, empty database over it.
 *  - `sync` syncs every log file. LevelDB syncs the newest one alone, although an older one may hold what no table holds yet.
 *  - What it dropped while opening stands in its LOG alone.
 *  - Its tables hold checksums, which the binding never has it look at. A flipped bit in a key or a filter would lose the
 *    key in silence, so every table that was there before is checked at opening. This takes about as long as reading it.
 *  - Table blocks are never compressed: the values are short, and the time is better spent otherwise.
 */
type LevelHandle = Level<Buffer, Buffer>

const openOptions = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  compression: false,
  writeBufferSize: 16 * 1024 * 1024,
  cacheSize: 8 * 1024 * 1024,
  maxFileSize: 8 * 1024 * 1024,
}

const chunkEntries = 1000

export const levelDatabaseOpener: DatabaseOpener = {
  async open(directory) {
    const path = resolve(directory)
    if (await hasLostCurrent(path)) throw damaged('open', path, 'The file CURRENT is missing beside data.')
    const before = await tables(path)
    const level: LevelHandle = new Level(path, { ...openOptions, createIfMissing: true })
    try {
      await level.open()
    } catch (error) {
      throw await openingFailure(error, path)
    }
    const damage = await tableDamageIn(path, before)
    if (damage === null) return new LevelDatabase(level, path)
    await level.close()
    throw damaged('open', path, damage)
  },

  async openingComplaint(directory) {
    return complaintIn(await readFile(join(directory, 'LOG'), 'utf8').catch(emptyIfMissing))
  },

  async destroy(directory) {
    const path = resolve(directory)
    const doomed = `${path}.wiped`
    try {
      // Renamed first, so that a kill half-way does not leave a store with missing files.
      await rm(doomed, { recursive: true, force: true })
      await rename(path, doomed)
      await rm(doomed, { recursive: true, force: true })
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw asStateDirError(error, 'delete store', path)
    }
  },
}

class LevelDatabase implements Database {
  readonly #level: LevelHandle
  readonly #path: string

  constructor(level: LevelHandle, path: string) {
    this.#level = level
    this.#path = path
  }

  getSync(key: Buffer): Buffer | undefined {
    try {
      return this.#level.getSync(key)
    } catch (error) {
      throw damaged('read', this.#path, 'LevelDB cannot read the key.', error)
    }
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    try {
      return await this.#level.getMany([...keys])
    } catch (error) {
      throw damaged('read', this.#path, 'LevelDB cannot read the keys.', error)
    }
  }

  async batch(operations: readonly DatabaseOperation[], { sync }: { readonly sync: boolean }): Promise<void> {
    try {
      if (sync) await this.#syncLogs()
      const batch = this.#level.batch()
      for (const operation of operations) {
        if (operation.type === 'put') batch.put(operation.key, operation.value)
        else batch.del(operation.key)
      }
      await batch.write({ sync })
    } catch (cause) {
      // LevelDB's own words name the file, and what the system says: a full disk, an I/O error, a read-only file system.
      const detail = `${textOf(cause)}.`
      throw new CodedError('STORE_WRITE_FAILED', {
        operation: 'LevelDB batch',
        path: this.#path,
        detail,
        cause,
      })
    }
  }

  async *entries({ gte, lt, limit }: DatabaseRange): AsyncGenerator<(readonly [Buffer, Buffer])[]> {
    const iterator = this.#level.iterator({ gte, lt, limit: limit ?? -1, highWaterMarkBytes: 256 * 1024 })
    try {
      for (;;) {
        const chunk = await iterator.nextv(chunkEntries).catch((error: unknown) => {
          throw damaged('read', this.#path, 'LevelDB cannot read the range.', error)
        })
        if (chunk.length === 0) return
        yield chunk
      }
    } finally {
      await iterator.close()
    }
  }

  async close(): Promise<void> {
    await this.#level.close()
  }

  async #syncLogs(): Promise<void> {
    for (const name of await readdir(this.#path)) {
      if (!name.endsWith('.log')) continue
      // LevelDB deletes a log file whose content has reached a table.
      const file = await open(join(this.#path, name), 'r').catch(ignoreMissing)
      if (file === null) continue
      await file.datasync().finally(() => file.close())
    }
  }
}

async function hasLostCurrent(path: string): Promise<boolean> {
  const names = await readdir(path)
    .catch(noneIfMissing)
    .catch((error: unknown) => {
      throw asStateDirError(error, 'open store', path)
    })
  if (names.includes('CURRENT')) return false
  for (const name of names) {
    if (name.endsWith('.ldb')) return true
    // A kill while the database was being made leaves an empty log file at the most.
    if (name.endsWith('.log') && (await stat(join(path, name))).size > 0) return true
  }
  return false
}

/** What tells one table file from another of the same name, by name. */
async function tables(path: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const name of await readdir(path).catch(noneIfMissing)) {
    if (!name.endsWith('.ldb')) continue
    const file = await stat(join(path, name)).catch(ignoreMissing)
    if (file !== null) found.set(name, `${file.ino} ${file.size} ${file.mtimeMs}`)
  }
  return found
}

/**
 * Checks the tables that were there before the opening and still are. A kill may leave one half-written; LevelDB deletes that while
 * opening. A compaction that begins at once may write new ones, under any name: those are not whole yet, and not checked.
 */
async function tableDamageIn(path: string, before: ReadonlyMap<string, string>): Promise<string | null> {
  for (const [name, file] of await tables(path)) {
    if (before.get(name) !== file) continue
    const bytes = await readFile(join(path, name)).catch(ignoreMissing)
    const damage = bytes === null ? null : tableDamage(bytes)
    if (damage !== null) return `Table ${name}: ${damage}.`
  }
  return null
}

async function openingFailure(error: unknown, path: string): Promise<CodedError> {
  // abstract-level wraps LevelDB's failure; a failure to make the directory stands there as the system's own.
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  switch (codeOf(cause)) {
    case 'LEVEL_LOCKED':
      return new CodedError('STATE_DIR_IN_USE', { operation: 'open store', path, cause })
    case 'LEVEL_CORRUPTION':
      return damaged('open', path, textOf(cause), cause)
    case 'LEVEL_IO_ERROR': {
      // This code covers a full disk, missing rights and missing files alike. If the directory itself can be written, the fault
      // lies in the files of the store.
      const obstacle = await probeWritable(path)
      return obstacle ?? damaged('open', path, textOf(cause), cause)
    }
    default:
      return asStateDirError(cause, 'open store', path)
  }
}

/**
 * LevelDB has no other way to tell what it dropped: with the options that the binding opens it with, it ignores errors of its log
 * files and only writes a line to its LOG. The words are those of `DBImpl::RecoverLogFile` and `DBImpl::MaybeIgnoreError` of
 * LevelDB 1.20. A log that merely ends early, as a kill may leave it, is not mentioned there, and is no damage.
 */
function complaintIn(log: string): string | null {
  const complaint = log.split('\n').find((line) => /: dropping \d+ bytes; |Ignoring error /.test(line))
  return complaint === undefined ? null : `LevelDB: ${complaint.trim()}`
}

function damaged(what: string, path: string, detail: string, cause?: unknown): CodedError {
  return new CodedError('STORE_DAMAGED', { operation: `${what} store`, path, detail, cause })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function noneIfMissing(error: unknown): string[] {
  if (codeOf(error) === 'ENOENT') return []
  throw error
}

function emptyIfMissing(error: unknown): string {
  if (codeOf(error) === 'ENOENT') return ''
  throw error
}

function ignoreMissing(error: unknown): null {
  if (codeOf(error) === 'ENOENT') return null
  throw error
}
