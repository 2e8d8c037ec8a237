/** Ways to damage the stores of a stopped instance, and to look at what came of it. */
import {
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import type { Database } from '../../src/ports/database.ts'
import { levelDatabaseOpener } from '../../src/system/level-database.ts'
import type { Application } from './application.ts'

/** The directory of the slot of an application that has but one. */
export function slotOf(application: Application): string {
  return join(application.stateDir, application.config.appId, '0')
}

export function storeOf(application: Application, task: string): string {
  return join(slotOf(application), task)
}

/** A copy of the state of an application, to go back to. What an older copy lacks is in the changelog. */
export class StateCopy {
  readonly #directory: string
  readonly #copy: string

  constructor(application: Application, number = 1) {
    this.#directory = join(application.stateDir, application.config.appId)
    this.#copy = `${this.#directory}.copy-${number}`
    rmSync(this.#copy, { recursive: true, force: true })
    cpSync(this.#directory, this.#copy, { recursive: true })
  }

  putBack(): void {
    rmSync(this.#directory, { recursive: true, force: true })
    cpSync(this.#copy, this.#directory, { recursive: true })
  }

  /** The copy of a store; not to be changed. */
  storeOf(task: string): string {
    return join(this.#copy, '0', task)
  }
}

/** Files of a store by the ending of their name, the largest first. Throws if there is none. */
export function filesOf(directory: string, ending: string): string[] {
  const found = readdirSync(directory)
    .filter((name) => name.endsWith(ending) || name.startsWith(ending))
    .map((name) => join(directory, name))
    .toSorted((a, b) => statSync(b).size - statSync(a).size)
  if (found.length === 0) throw new Error(`no file ${ending} in ${directory}`)
  return found
}

export function largest(directory: string, ending: string): string {
  return filesOf(directory, ending)[0] ?? ''
}

/** A file as it stands in LevelDB's directory holds state, unless it is LevelDB's lock or its log for people. */
export function stateFilesOf(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => !name.startsWith('LO'))
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).size > 0)
}

/** Flips one bit, in place, so that a process that has the file open sees it. */
export function flipBit(path: string, random: Xoshiro128): string {
  const at = random.below(statSync(path).size)
  const bit = random.below(8)
  const handle = openSync(path, 'r+')
  try {
    const byte = Buffer.alloc(1)
    readSync(handle, byte, 0, 1, at)
    writeSync(handle, Buffer.of((byte[0] ?? 0) ^ (1 << bit)), 0, 1, at)
  } finally {
    closeSync(handle)
  }
  return `${path}, byte ${at}, bit ${bit}`
}

/** Changes the byte at this share of the file's length. */
export function flipByteAt(path: string, share: number): void {
  const bytes = readFileSync(path)
  const at = Math.floor(bytes.length * share)
  bytes[at] = (bytes[at] ?? 0) ^ 0x55
  writeFileSync(path, bytes)
}

const pageSize = 4096

/** Zeroes in the place of a page: what a machine that goes down leaves of a page that it has not written. */
export function zeroPage(path: string, page: number): void {
  const bytes = readFileSync(path)
  bytes.subarray(page * pageSize, (page + 1) * pageSize).fill(0)
  writeFileSync(path, bytes)
}

/** What a store holds, to be changed behind its back. */
export async function withDatabase(
  directory: string,
  change: (database: Database) => Promise<void>,
): Promise<void> {
  const database = await levelDatabaseOpener.open(directory)
  try {
    await change(database)
  } finally {
    await database.close()
  }
}

export async function entriesOf(database: Database, space: number): Promise<(readonly [Buffer, Buffer])[]> {
  const found: (readonly [Buffer, Buffer])[] = []
  for await (const chunk of database.entries({ gte: Buffer.of(space), lt: Buffer.of(space + 1) }))
    found.push(...chunk)
  return found
}
