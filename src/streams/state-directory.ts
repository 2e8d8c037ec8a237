import { join, resolve } from 'node:path'
import { CodedError } from '../errors.ts'
import type { Database, DatabaseOpener } from '../ports/database.ts'
import { tryLock } from '../ports/directory-lock.ts'
import type { Random } from '../ports/random.ts'
import type { StateFiles } from '../ports/state-files.ts'

/**
 * The slot of one process in the state directory. Its stream threads share it: a task that moves from one to another finds its store.
 *
 *   <stateDir>/<appId>/<slot>/lock          an open database: its lock ends with the process, and holds between threads too
 *   <stateDir>/<appId>/<slot>/instance-id   who comes back here is the same static member of the group
 *   <stateDir>/<appId>/<slot>/<task id>     the store of a task
 *   <stateDir>/<appId>/<slot>/cache         what the application keeps there and may lose
 *
 * Other directories beside the slots are locked in the same way by who uses them.
 */
interface StateDirectoryOptions {
  readonly stateDir: string
  readonly appId: string
  readonly opener: DatabaseOpener
  readonly files: StateFiles
}

const maxSlots = 1024
const instanceIdName = 'instance-id'
const cacheName = 'cache'
const taskId = /^\d+_\d+$/
const slotName = /^\d+$/
const byNumbers = new Intl.Collator('en', { numeric: true })

/** What one member of the group has of its process's slot: plain data, which can be given to another thread. */
export interface MemberSlot {
  readonly path: string
  /** The same for all members of the process. */
  readonly processId: string
  /** Of the static member: that of the slot for the first one. */
  readonly instanceId: string
}

/** The stores in a slot that this process holds, in whatever thread. */
export class SlotStores {
  readonly instanceId: string
  readonly processId: string
  readonly #path: string
  readonly #files: StateFiles

  constructor({ path, processId, instanceId }: MemberSlot, files: StateFiles) {
    this.instanceId = instanceId
    this.processId = processId
    this.#path = path
    this.#files = files
  }

  /** Size of a task's store on disk, about. */
  async sizeInBytes(id: string): Promise<number> {
    return await this.#files.sizeInBytes(this.taskDirectory(id))
  }

  taskDirectory(id: string): string {
    if (!taskId.test(id)) {
      throw new CodedError('INTERNAL', { operation: 'taskDirectory', detail: `${id} is no task id.` })
    }
    return join(this.#path, id)
  }

  /** Ids of the tasks that have a store in this slot, by subtopology and partition. */
  async tasksOnDisk(): Promise<string[]> {
    const names = (await this.#files.directories(this.#path)).filter((name) => taskId.test(name))
    return names.sort(byNumbers.compare)
  }
}

export class StateDirectory {
  readonly slot: number
  readonly instanceId: string
  readonly #path: string
  readonly #lock: Database

  /** Takes the first free slot. Throws STATE_DIR_UNUSABLE with the path. */
  static async claim(options: StateDirectoryOptions & { readonly random: Random }): Promise<StateDirectory> {
    const { files } = options
    const application = applicationDirectory(options)
    for (let slot = 0; slot < maxSlots; slot += 1) {
      const path = join(application, String(slot))
      await files.makeDirectory(path)
      const lock = await tryLock(options.opener, path)
      if (lock === null) continue
      try {
        return new StateDirectory(slot, await instanceIdIn(path, files, options.random), path, lock)
      } catch (error) {
        await lock.close()
        throw error
      }
    }
    throw inUse(application, `All ${maxSlots} slots are taken.`)
  }

  /** Deletes the application's state, unless a slot of it is held: then STATE_DIR_IN_USE. What is in use beside the slots is no state, and stays. */
  static async remove(options: StateDirectoryOptions): Promise<void> {
    const application = applicationDirectory(options)
    const names = await options.files.directories(application)
    const locks: Database[] = []
    const free: string[] = []
    try {
      for (const name of names) {
        const path = join(application, name)
        const lock = await tryLock(options.opener, path)
        if (lock !== null) {
          locks.push(lock)
          free.push(path)
        } else if (slotName.test(name)) throw inUse(path, 'A running process holds this slot.')
      }
      // While the locks are held, so that nobody takes a slot in between; an open file may be deleted.
      const doomed = free.length === names.length ? [application] : free
      for (const path of doomed) await options.files.remove(path)
    } finally {
      await Promise.all(locks.map((lock) => lock.close()))
    }
  }

  private constructor(slot: number, instanceId: string, path: string, lock: Database) {
    this.slot = slot
    this.instanceId = instanceId
    this.#path = path
    this.#lock = lock
  }

  /** The part of member `index`, from 0: the same after a restart. */
  member(index: number): MemberSlot {
    const instanceId = index === 0 ? this.instanceId : `${this.instanceId}-${index}`
    return { path: this.#path, processId: this.instanceId, instanceId }
  }

  /** A directory for what may be lost at any time. */
  get cacheDirectory(): string {
    return join(this.#path, cacheName)
  }

  /** Frees the slot; its stores must be closed. */
  async release(): Promise<void> {
    await this.#lock.close()
  }
}

function applicationDirectory({ stateDir, appId }: StateDirectoryOptions): string {
  // An APP_ID is a name, not a path: it must not lead out of the state directory.
  if (!/^[A-Za-z0-9._-]+$/.test(appId) || appId === '.' || appId === '..') {
    throw new CodedError('STATE_DIR_UNUSABLE', {
      operation: 'claim slot',
      path: stateDir,
      detail: `APP_ID ${JSON.stringify(appId)} cannot be the name of a directory.`,
      hint: 'Use letters, digits, dots, hyphens and underscores.',
    })
  }
  return resolve(stateDir, appId)
}

async function instanceIdIn(path: string, files: StateFiles, random: Random): Promise<string> {
  const file = join(path, instanceIdName)
  const found = (await files.read(file))?.trim() ?? ''
  if (found !== '') return found
  const made = random.id()
  await files.writeAtomically(file, `${made}\n`)
  return made
}

function inUse(path: string, detail: string): CodedError {
  return new CodedError('STATE_DIR_IN_USE', { operation: 'claim slot', path, detail })
}
