/**
 * Where one copy of the table has its rows while they are on disk, in a directory that several copies, of several processes, may share:
 *
 *   <directory>/table-<id>/lock   an open database: its lock ends with the process
 *   <directory>/table-<id>/rows   of no use to anybody else, nor after that
 *
 * What a process that was killed has left is removed by the next one that begins there; what is in use is left alone.
 */
import { join } from 'node:path'
import { coded } from '../../errors.ts'
import type { Database, DatabaseOpener } from '../../ports/database.ts'
import { tryLock } from '../../ports/directory-lock.ts'
import type { Log } from '../../ports/log.ts'
import { systemRandom } from '../../system/random.ts'
import { stateFiles } from '../../system/state-files.ts'

const tableName = /^table-[\w-]{22}$/
/** Who looks for leftovers may take a new one for such, before it is locked. */
const mostAttempts = 3

export class TableDirectory {
  readonly #path: string
  readonly #lock: Database

  /** A new one. Throws STATE_DIR_UNUSABLE. */
  static async claim(directory: string, opener: DatabaseOpener): Promise<TableDirectory> {
    for (let attempt = 1; ; attempt += 1) {
      const path = join(directory, `table-${systemRandom.id()}`)
      try {
        return new TableDirectory(path, await opener.open(join(path, 'lock')))
      } catch (error) {
        await stateFiles.remove(path)
        if (attempt === mostAttempts) throw error
      }
    }
  }

  /** Removes those that nobody uses. Never rejects: what cannot be removed is told, and stays. */
  static async removeLeftovers(directory: string, opener: DatabaseOpener, log: Log): Promise<void> {
    const tell = (cause: unknown): void => {
      const error = coded(cause, 'remove what is left of a table')
      log.warn({ error }, 'What an ended process has left of its table could not be removed')
    }
    try {
      const names = await stateFiles.directories(directory)
      // One that cannot be removed does not keep the others.
      for (const name of names.filter((one) => tableName.test(one)))
        await removeLeftover(join(directory, name), opener).catch(tell)
    } catch (cause) {
      tell(cause)
    }
  }

  private constructor(path: string, lock: Database) {
    this.#path = path
    this.#lock = lock
  }

  get rows(): string {
    return join(this.#path, 'rows')
  }

  async remove(): Promise<void> {
    await remove(this.#path, this.#lock)
  }
}

async function removeLeftover(path: string, opener: DatabaseOpener): Promise<void> {
  // Without one it is being made, or nothing of ours.
  if (!(await stateFiles.directories(path)).includes('lock')) return
  const lock = await tryLock(opener, path)
  if (lock !== null) await remove(path, lock)
}

/** The lock goes last: as long as it is there, the next process finds what is left. */
async function remove(path: string, lock: Database): Promise<void> {
  try {
    await stateFiles.remove(join(path, 'rows'))
    await stateFiles.remove(path)
  } finally {
    await lock.close()
  }
}
