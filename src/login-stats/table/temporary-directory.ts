/**
 * Where tables have their rows on disk if nobody has named a directory: one for all of a user, below the system's temporary one, so that
 * each finds what those before it have left. Anybody may make a directory there: one that belongs to others, or lets them in, is not used.
 */
import { lstat, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { userId } from '../../system/process.ts'
import { missingAs } from '../../system/state-files.ts'

export interface TemporaryDirectory {
  readonly path: string
  /** Removes what is not for others too. */
  remove(): Promise<void>
}

/** That of this user; null if there is none, or it cannot be used. */
export async function usersDirectory(): Promise<string | null> {
  const path = ofUser()
  const found = await lstat(path).catch((error: unknown) => missingAs(error, null))
  // A symbolic link is no directory here.
  const isOwn = found?.isDirectory() && found.uid === userId() && (found.mode & 0o077) === 0
  return isOwn ? path : null
}

/** That of this user, made if need be; else a new one. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  await mkdir(ofUser(), { mode: 0o700 }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  })
  const shared = await usersDirectory()
  if (shared !== null) return { path: shared, remove: async () => undefined }
  const path = await mkdtemp(join(tmpdir(), 'login-stats-table-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

function ofUser(): string {
  return join(tmpdir(), `login-stats-tables-${userId()}`)
}
