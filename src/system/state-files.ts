import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CodedError } from '../errors.ts'
import type { StateFiles } from '../ports/state-files.ts'

/** The state directory's own files, on the real disk. */
export const stateFiles: StateFiles = {
  async makeDirectory(path) {
    await attempt('make directory', path, () => makeWithParents(path))
    const obstacle = await probeWritable(path)
    if (obstacle !== null) throw obstacle
  },

  async directories(path) {
    const entries = await attempt('list directory', path, () =>
      readdir(path, { withFileTypes: true }).catch((error: unknown) => missingAs(error, [])),
    )
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  },

  read: (path) =>
    attempt('read file', path, () =>
      readFile(path, 'utf8').catch((error: unknown) => missingAs<string | null>(error, null)),
    ),

  async writeAtomically(path, content) {
    const temporary = `${path}.new`
    await attempt('write file', path, async () => {
      await writeSynced(temporary, content)
      await rename(temporary, path)
      await syncDirectory(dirname(path))
    })
  },

  async sizeInBytes(path) {
    const names = await readdir(path).catch((error: unknown) => missingAs<string[]>(error, []))
    // LevelDB deletes files at any time.
    const sizes = names.map((name) =>
      stat(join(path, name)).then(
        (found) => (found.isFile() ? found.size : 0),
        (error: unknown) => missingAs(error, 0),
      ),
    )
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
  },

  async remove(path) {
    await attempt('delete directory', path, () => rm(path, { recursive: true, force: true }))
  },
}

/** Null if a file can be written in the directory; else what to throw. */
export async function probeWritable(directory: string): Promise<CodedError | null> {
  const probe = join(directory, `.probe-${process.pid}`)
  try {
    await writeSynced(probe, 'x'.repeat(4096))
    return null
  } catch (error) {
    return asStateDirError(error, 'write to state directory', directory)
  } finally {
    await rm(probe, { force: true }).catch(() => {
      // Where a file cannot be deleted, the write has failed before, and that is what is told.
    })
  }
}

export function asStateDirError(cause: unknown, operation: string, path: string): CodedError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return new CodedError('STATE_DIR_UNUSABLE', {
    operation,
    path,
    detail: cause instanceof Error ? `${cause.message}.` : String(cause),
    ...(isFull ? { hint: 'Free space on the disk of STATE_DIR.' } : {}),
    cause,
  })
}

async function attempt<T>(operation: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw asStateDirError(error, operation, path)
  }
}

async function makeWithParents(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
    // That is what Node says of a read-only file system, too. One directory at a time, the system itself says why not.
    await makeStepwise(path)
  }
}

async function makeStepwise(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (isCode(error, 'EEXIST')) return
    if (!isCode(error, 'ENOENT') || dirname(path) === path) throw error
    await makeStepwise(dirname(path))
    await mkdir(path)
  }
}

async function writeSynced(path: string, content: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(content)
    await file.datasync()
  } finally {
    await file.close()
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  await directory.sync().finally(() => directory.close())
}

/** For what does not exist the value; throws all other errors. */
export function missingAs<T>(error: unknown, value: T): T {
  if (isCode(error, 'ENOENT')) return value
  throw error
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
