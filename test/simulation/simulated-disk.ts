/**
 * The disk of one machine: databases and small files in memory, with what happens to disks.
 *
 *  - A batch is whole, or not there, also after a kill of the process. What was not synced may be lost with the machine: the newest
 *    batches, one in the middle, a part of the last one.
 *  - A full disk refuses writes. After a refused write a database goes on as LevelDB does: it acknowledges batches and loses
 *    them.
 *  - At rest, bits flip and entries vanish; sometimes the database notices while it opens. In an open database bits of values flip.
 */
import { CodedError } from '../../src/errors.ts'
import type { Database, DatabaseOpener, DatabaseOperation, DatabaseRange } from '../../src/ports/database.ts'
import type { StateFiles } from '../../src/ports/state-files.ts'
import type { EventQueue } from './event-queue.ts'
import type { SeededRandom } from './random.ts'
import type { SimulatedProcess } from './simulated-process.ts'

type Entries = Map<string, Buffer>

interface StoredDatabase {
  /** As a process that opens it sees it. */
  entries: Entries
  /** As it is on the platters, without `unsynced`. */
  synced: Entries
  unsynced: (readonly DatabaseOperation[])[]
  owner: SimulatedProcess | null
  /** What it will complain of at the next opening; `damaged` lets the opening fail. */
  complaint: string | null
  isDamaged: boolean
  sorted: string[] | null
  /** Values of which a bit has flipped, as they are since then. */
  readonly flipped: Map<string, Buffer | undefined>
}

const maxUnsynced = 40
const chunkEntries = 64

export class SimulatedDisk {
  isFull = false
  /** How long an operation takes at the most. */
  latencyMs = 0.2
  /** Asked before each operation of a process; it may kill the process. */
  onOperation: (process: SimulatedProcess) => void = () => {}
  readonly #queue: EventQueue
  readonly #random: SeededRandom
  readonly #databases = new Map<string, StoredDatabase>()
  readonly #files = new Map<string, string>()

  constructor(queue: EventQueue, random: SeededRandom) {
    this.#queue = queue
    this.#random = random
  }

  /** Paths of the databases that hold something. */
  stores(): string[] {
    return [...this.#databases].filter(([, { entries }]) => entries.size > 0).map(([path]) => path)
  }

  entriesOf(path: string): ReadonlyMap<string, Buffer> {
    return this.#databases.get(path)?.entries ?? new Map()
  }

  /** Whether a bit of this value has flipped since it was written, and nobody who has read it would take it for good. */
  isFlipped(path: string, name: string): boolean {
    const database = this.#databases.get(path)
    const value = database?.entries.get(name)
    return value !== undefined && database?.flipped.get(name) === value
  }

  /** The machine has gone down: what was not synced survives in part. */
  loseUnsynced(): void {
    const random = this.#random
    for (const database of this.#databases.values()) {
      const { unsynced } = database
      const survivors = unsynced.slice(0, random.below(unsynced.length + 1))
      const torn = unsynced[survivors.length]
      if (survivors.length > 1 && random.chance(0.3)) survivors.splice(random.below(survivors.length), 1)
      if (torn !== undefined && random.chance(0.2)) survivors.push(torn.slice(0, random.below(torn.length)))
      for (const operations of survivors) apply(database.synced, operations)
      database.unsynced = []
      database.entries = new Map(database.synced)
      database.sorted = null
    }
  }

  /** Damages one database that no process holds. Returns its path and the kind of damage. */
  damage(): string | null {
    const random = this.#random
    const idle = [...this.#databases].filter(
      ([, { owner, entries }]) => (owner === null || owner.isDead) && entries.size > 0,
    )
    if (idle.length === 0) return null
    const [path, database] = random.pick(idle)
    const [name, value] = random.pick([...database.entries])
    const kind = random.pick(['value', 'key', 'loss', 'complaint', 'opening', 'meta', 'everything'])
    const entries = new Map(database.entries)
    if (kind === 'value') entries.set(name, flipped(value, random))
    if (kind === 'key') {
      entries.delete(name)
      entries.set(flipped(Buffer.from(name, 'latin1'), random).toString('latin1'), value)
    }
    if (kind === 'loss' || kind === 'complaint') entries.delete(name)
    if (kind === 'complaint') database.complaint = 'some bytes were dropped'
    if (kind === 'opening') database.isDamaged = true
    if (kind === 'meta') entries.delete([...entries.keys()].find((key) => key.startsWith('\0')) ?? '')
    if (kind === 'everything') entries.clear()
    database.entries = entries
    database.synced = new Map(entries)
    database.unsynced = []
    database.sorted = null
    return `${path} ${kind}`
  }

  /** Flips a bit of a value in a database that a process holds open. Returns its path, or null if there is none. */
  flipBit(): string | null {
    const random = this.#random
    const open = [...this.#databases].filter(
      ([, { owner, entries }]) => owner?.isDead === false && entries.size > 0,
    )
    if (open.length === 0) return null
    const [path, database] = random.pick(open)
    const [name, value] = random.pick([...database.entries])
    database.entries.set(name, flipped(value, random))
    database.flipped.set(name, database.entries.get(name))
    return path
  }

  /** Takes over what is on another disk, as the processes there see it now. */
  copyFrom(other: SimulatedDisk): void {
    for (const [path, { entries, complaint, isDamaged, flipped }] of other.#databases) {
      this.#databases.set(path, {
        entries: new Map(entries),
        synced: new Map(entries),
        unsynced: [],
        owner: null,
        complaint,
        isDamaged,
        sorted: null,
        flipped: new Map(flipped),
      })
    }
    for (const [path, content] of other.#files) this.#files.set(path, content)
  }

  /** Somebody deletes all that is on it. */
  clear(): void {
    this.#databases.clear()
    this.#files.clear()
  }

  openerFor(process: SimulatedProcess): DatabaseOpener {
    return {
      open: async (directory) => {
        await this.#operation(process)
        return this.#open(directory, process)
      },
      openingComplaint: async (directory) => {
        await this.#operation(process)
        return this.#databases.get(directory)?.complaint ?? null
      },
      destroy: async (directory) => {
        await this.#operation(process)
        this.#databases.delete(directory)
      },
    }
  }

  filesFor(process: SimulatedProcess): StateFiles {
    const refuseIfFull = (path: string): void => {
      if (this.isFull) throw new CodedError('STATE_DIR_UNUSABLE', { operation: 'write file', path })
    }
    return {
      makeDirectory: async (path) => {
        await this.#operation(process)
        refuseIfFull(path)
      },
      directories: async (path) => {
        await this.#operation(process)
        const below = [...this.#databases.keys(), ...this.#files.keys()]
          .filter((name) => name.startsWith(`${path}/`))
          .map((name) => name.slice(path.length + 1).split('/')[0] ?? '')
        return [...new Set(below)]
      },
      read: async (path) => {
        await this.#operation(process)
        return this.#files.get(path) ?? null
      },
      // Nothing simulated asks for it.
      sizeInBytes: async () => 0,
      writeAtomically: async (path, content) => {
        await this.#operation(process)
        refuseIfFull(path)
        this.#files.set(path, content)
      },
      remove: async (path) => {
        await this.#operation(process)
        for (const names of [this.#databases, this.#files])
          for (const name of names.keys()) if (name.startsWith(path)) names.delete(name)
      },
    }
  }

  #open(directory: string, process: SimulatedProcess): Database {
    let stored = this.#databases.get(directory)
    if (stored === undefined) {
      if (this.isFull)
        throw new CodedError('STATE_DIR_UNUSABLE', { operation: 'open store', path: directory })
      stored = {
        entries: new Map(),
        synced: new Map(),
        unsynced: [],
        owner: null,
        complaint: null,
        isDamaged: false,
        sorted: null,
        flipped: new Map(),
      }
      this.#databases.set(directory, stored)
    }
    if (stored.owner !== null && !stored.owner.isDead)
      throw new CodedError('STATE_DIR_IN_USE', { operation: 'open store', path: directory })
    if (stored.isDamaged) throw new CodedError('STORE_DAMAGED', { operation: 'open store', path: directory })
    stored.owner = process
    return this.#database(stored, process, directory)
  }

  #database(stored: StoredDatabase, process: SimulatedProcess, path: string): Database {
    let hasFailed = false
    return {
      getSync: (key) => stored.entries.get(key.toString('latin1')),
      getMany: async (keys) => {
        await this.#operation(process)
        return keys.map((key) => stored.entries.get(key.toString('latin1')))
      },
      batch: (operations, { sync }) =>
        new Promise((resolve, reject) => {
          this.onOperation(process)
          if (process.isDead) return
          if (stored.owner !== process) {
            reject(
              new CodedError('STORE_WRITE_FAILED', { operation: 'batch', path, detail: 'It is closed.' }),
            )
            return
          }
          const copied = operations.map(copy)
          this.#queue.after(this.#random.between(0, this.latencyMs), () => {
            // The kernel has it, or not, whatever became of the process; the machine must not have gone down.
            if (stored.owner !== process || (process.isDead && this.#random.chance(0.5))) return
            if (this.isFull && !hasFailed) {
              hasFailed = true
              process.deliver(() =>
                reject(new CodedError('STORE_WRITE_FAILED', { operation: 'batch', path })),
              )
              return
            }
            if (!hasFailed) this.#write(stored, copied, sync)
            process.deliver(() => resolve())
          })
        }),
      entries: (range) => this.#entries(stored, process, range),
      close: async () => {
        await this.#operation(process)
        if (stored.owner === process) stored.owner = null
      },
    }
  }

  #write(stored: StoredDatabase, operations: readonly DatabaseOperation[], sync: boolean): void {
    if (operations.some(({ type, key }) => stored.entries.has(key.toString('latin1')) === (type === 'del')))
      stored.sorted = null
    apply(stored.entries, operations)
    stored.unsynced.push(operations)
    const keep = sync ? 0 : maxUnsynced
    while (stored.unsynced.length > keep) apply(stored.synced, stored.unsynced.shift() ?? [])
  }

  async *#entries(
    stored: StoredDatabase,
    process: SimulatedProcess,
    { gte, lt, limit }: DatabaseRange,
  ): AsyncGenerator<(readonly [Buffer, Buffer])[]> {
    stored.sorted ??= [...stored.entries.keys()].sort()
    const [from, to] = [gte.toString('latin1'), lt.toString('latin1')]
    const found: (readonly [Buffer, Buffer])[] = []
    for (const name of stored.sorted) {
      if (name < from) continue
      if (name >= to || found.length === limit) break
      const value = stored.entries.get(name)
      if (value !== undefined) found.push([Buffer.from(name, 'latin1'), value])
    }
    for (let at = 0; at < found.length; at += chunkEntries) {
      await this.#operation(process)
      yield found.slice(at, at + chunkEntries)
    }
  }

  /** One operation that changes nothing by itself: takes a moment, and never ends for a dead process. */
  #operation(process: SimulatedProcess): Promise<void> {
    this.onOperation(process)
    return new Promise((resolve) => void process.after(this.#random.between(0, this.latencyMs), resolve))
  }
}

function apply(entries: Entries, operations: readonly DatabaseOperation[]): void {
  for (const operation of operations) {
    const name = operation.key.toString('latin1')
    if (operation.type === 'put') entries.set(name, operation.value)
    else entries.delete(name)
  }
}

function copy(operation: DatabaseOperation): DatabaseOperation {
  const key = Buffer.from(operation.key)
  return operation.type === 'put'
    ? { type: 'put', key, value: Buffer.from(operation.value) }
    : { type: 'del', key }
}

function flipped(bytes: Buffer, random: SeededRandom): Buffer {
  const damaged = Buffer.from(bytes)
  if (damaged.length === 0) return Buffer.of(1)
  const at = random.below(damaged.length)
  damaged[at] = (damaged[at] ?? 0) ^ (1 << random.below(8))
  return damaged
}
