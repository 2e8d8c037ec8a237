import { join } from 'node:path'
import { CodedError } from '../errors.ts'
import type { Database, DatabaseOpener } from './database.ts'

const lockName = 'lock'

/** Null if another process or thread holds the directory. The lock's database holds nothing: a damaged one is made anew. */
export async function tryLock(opener: DatabaseOpener, directory: string): Promise<Database | null> {
  const path = join(directory, lockName)
  try {
    return await opener.open(path)
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    if (error.code === 'STATE_DIR_IN_USE') return null
    if (error.code !== 'STORE_DAMAGED') throw error
    await opener.destroy(path)
    return opener.open(path)
  }
}
