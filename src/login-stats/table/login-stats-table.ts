import { EventEmitter } from 'node:events'
import { CodedError } from '../../errors.ts'
import { connectKafka } from '../../kafka/index.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DatabaseOpener } from '../../ports/database.ts'
import type { FetchedRecords, KafkaClient } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { systemClock } from '../../system/clock.ts'
import { levelDatabaseOpener } from '../../system/level-database.ts'
import { createLogger } from '../../system/logger.ts'
import { systemRandom } from '../../system/random.ts'
import { parseRow } from '../domain/table-row.ts'
import { type TableLog, withChildren } from './log.ts'
import { comparing, First, loginsOf, type RowOrder } from './row-order.ts'
import { type KeyedRow, type RecordedChange, type RowChange, type Rows, RowsInMemory } from './rows.ts'
import { RowsOnDisk } from './rows-on-disk.ts'
import { TableDirectory } from './table-directory.ts'
import { type TemporaryDirectory, temporaryDirectory, usersDirectory } from './temporary-directory.ts'
import { TopicFollower } from './topic-follower.ts'

export interface OpenTableOptions {
  /** `host:port`, one or several. */
  readonly brokers: string | readonly string[]
  /** The topic of the table; `login-stats` if absent. */
  readonly topic?: string
  readonly clientId?: string
  /** As for kafkajs: `true`, or options of Node's TLS. */
  readonly ssl?: Parameters<typeof connectKafka>[0]['ssl']
  readonly sasl?: Parameters<typeof connectKafka>[0]['sasl']
  /** More rows than this go to disk; 50,000 if absent. A row takes about 1 KB in memory. */
  readonly maxRowsInMemory?: number
  /**
   * For rows on disk, each table in a directory of its own there, so that programs may share it; if absent, in one of the user
   * under the system's temporary one.
   */
  readonly directory?: string
  /** Where it tells of its troubles, such as `console`; silent if absent. */
  readonly log?: TableLog
  /** Gives up the opening, which then rejects with its reason. Without one it waits for as long as no broker can be reached. */
  readonly signal?: AbortSignal
}

/** A table over a client that somebody else closes. */
export interface FollowTableOptions {
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly log: Log
  readonly topic: string
  readonly databases: DatabaseOpener
  readonly maxRowsInMemory?: number
  readonly directory?: string
}

export interface TableEvents {
  /** A row has changed, or its key is gone. Also for each row while the table is read for the first time. */
  change: [change: RowChange]
  /** The table has been read to its end: for the first time, or once more after a restart. */
  ready: []
  /** The topic is read from its start again, for it is another one now: all rows are gone until `ready`. */
  restart: []
}

export const defaultMaxRowsInMemory = 50_000

/**
 * The table `login-stats`, as a map that follows the topic: committed rows alone, the last one of each key.
 *
 *     const table = await LoginStatsTable.open({ brokers: 'localhost:9092' })
 *     await table.get('locale:RU')          // { key, dimension, value, count, rolling, first_seen, last_seen, as_of }
 *     await table.top('device_type', 3)
 *     table.on('change', ({ key, row }) => …)
 *
 * What it answers is what was committed up to `ageMs` ago. Brokers that are away only make it older. It holds no group and commits
 * nothing: as many may read as like to. Whoever asks for rows while the table is started over or closed gets the error TABLE_NOT_READ.
 */
export class LoginStatsTable extends EventEmitter<TableEvents> {
  readonly #options: FollowTableOptions
  readonly #follower: TopicFollower
  #rows: Rows = new RowsInMemory()
  /** Made where rows go to disk and nobody has named a directory. */
  #temporary: TemporaryDirectory | null = null
  #sweeping: Promise<void> = Promise.resolve()
  #restarts = 0
  #isClosed = false
  #closeClient: () => Promise<void> = async () => undefined

  /**
   * Connects, and resolves when the table has been read to its end. Rejects with a CodedError where it cannot be read: TOPIC_MISSING,
   * AUTHORIZATION_FAILED, AUTHENTICATION_FAILED …; waits where no broker can be reached yet.
   */
  static async open(options: OpenTableOptions): Promise<LoginStatsTable> {
    const { brokers, topic = 'login-stats', clientId = 'login-stats-table', ssl, sasl } = options
    const log = options.log === undefined ? createLogger({ level: 'silent' }) : withChildren(options.log)
    const { signal } = options
    signal?.throwIfAborted()
    const kafka = connectKafka({
      bootstrapServers: typeof brokers === 'string' ? brokers.split(',').map((each) => each.trim()) : brokers,
      clientId,
      ...(ssl === undefined ? {} : { ssl }),
      ...(sasl === undefined ? {} : { sasl }),
      ...{ clock: systemClock, random: systemRandom, log, compression: 'none' },
    })
    const { maxRowsInMemory, directory } = options
    const table = LoginStatsTable.follow({
      ...{ kafka, clock: systemClock, log, topic, databases: levelDatabaseOpener },
      ...(maxRowsInMemory === undefined ? {} : { maxRowsInMemory }),
      ...(directory === undefined ? {} : { directory }),
    })
    table.#closeClient = () => kafka.close()
    const givenUp = Promise.withResolvers<never>()
    const giveUp = () => givenUp.reject(signal?.reason)
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      await Promise.race([table.untilReady(), givenUp.promise])
      return table
    } catch (error) {
      await table.close()
      throw error
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
  }

  /**
   * A table over an open client; it begins to read at once.
   * @internal
   */
  static follow(options: FollowTableOptions): LoginStatsTable {
    const table = new LoginStatsTable(options)
    table.#sweeping = table.#sweep()
    table.#follower.start()
    return table
  }

  private constructor(options: FollowTableOptions) {
    super()
    this.#options = options
    const { kafka, clock, log, topic } = options
    this.#follower = new TopicFollower({
      ...{ kafka, clock, log, topic, isCompacted: true },
      take: (records) => this.#take(records),
      restart: () => this.#restart(),
      completed: () => this.#tell('ready'),
    })
  }

  /** Resolves when the table has been read to its end for the first time. */
  get ready(): Promise<void> {
    return this.#follower.complete
  }

  /** Whether every row is there that was committed `ageMs` ago; false until it is ready, and again after a restart. */
  get isComplete(): boolean {
    return this.#follower.isComplete
  }

  /**
   * A moment on the monotonic clock: what readers of committed records could see before it is in the table; null until it is ready. Who
   * answers others takes it before it reads rows, so that the answer is no younger than it says.
   */
  get currentAt(): number | null {
    return this.#follower.currentAt
  }

  /** All that was committed more than so many ms ago is in it; null until it is ready. */
  get ageMs(): number | null {
    return this.#follower.ageMs
  }

  /** The next offset to read of each partition of the topic. */
  get position(): ReadonlyMap<number, number> {
    return this.#follower.positions
  }

  /** How often it was started over. */
  get restarts(): number {
    return this.#restarts
  }

  /** Why it cannot be brought up to date at present; null while all is well. */
  get failure(): CodedError | null {
    return this.#follower.failure
  }

  /** How many rows there are. */
  get size(): number {
    return this.#rows.size
  }

  /** The dimensions that have rows, with how many, `total` included. */
  get keyCounts(): ReadonlyMap<string, number> {
    return this.#rows.keyCounts
  }

  /** The row of a key such as `total` or `locale:RU`; null if there is none. */
  async get(key: string): Promise<KeyedRow | null> {
    return this.#read((rows) => rows.get(key))
  }

  /** All rows, or those of one dimension, in no particular order. */
  async *entries(dimension: string | null = null): AsyncGenerator<KeyedRow> {
    const read = this.#reading()
    try {
      for await (const chunk of this.#rows.chunks(dimension)) {
        yield* chunk
        read.check()
      }
      read.check()
    } catch (error) {
      throw read.failure(error)
    }
  }

  /** The rows of a dimension with the most logins, or with the most in a window such as `5m`, the most first. `limit`: a whole number, else a RangeError. */
  top(dimension: string, limit: number, window?: string): Promise<KeyedRow[]> {
    return this.ordered(dimension, { by: by(window), direction: 'falling' }, limit)
  }

  /** The same, those with the fewest first. */
  least(dimension: string, limit: number, window?: string): Promise<KeyedRow[]> {
    return this.ordered(dimension, { by: by(window), direction: 'rising' }, limit)
  }

  /** Both, and the logins of all its rows, by one look at them. */
  async ends(
    dimension: string,
    limit: number,
    window?: string,
  ): Promise<{ top: KeyedRow[]; least: KeyedRow[]; sum: number }> {
    const top = new First(limit, comparing({ by: by(window), direction: 'falling' }))
    const least = new First(limit, comparing({ by: by(window), direction: 'rising' }))
    let sum = 0
    await this.#read(async (rows) => {
      for await (const chunk of rows.chunks(dimension)) {
        for (const row of chunk) {
          top.offer(row)
          least.offer(row)
          sum += loginsOf(row, window)
        }
      }
    })
    return { top: top.rows, least: least.rows, sum }
  }

  /** The first `limit` rows of a dimension, or of all, in an order. */
  async ordered(dimension: string | null, order: RowOrder, limit: number): Promise<KeyedRow[]> {
    const first = new First(limit, comparing(order))
    await this.#read(async (rows) => {
      for await (const chunk of rows.chunks(dimension)) for (const row of chunk) first.offer(row)
    })
    return first.rows
  }

  /** Stops following; nothing may be asked afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true
    // Together: what is still asked of brokers that are away ends with the client.
    await Promise.all([this.#follower.close(), this.#closeClient()])
    await this.#rows.close()
    await this.#sweeping
    await this.#temporary?.remove()
  }

  /** As `ready`, and rejects with the CodedError that nothing but a change elsewhere will mend, such as TOPIC_MISSING. */
  async untilReady(): Promise<void> {
    const { clock } = this.#options
    let isReady = false
    const ready = this.#follower.complete.then(() => {
      isReady = true
    })
    while (!isReady) {
      await Promise.race([ready, clock.sleep(100)])
      const { failure } = this.#follower
      if (!isReady && failure?.behaviour === 'stop') throw failure
    }
  }

  async #read<T>(read: (rows: Rows) => Promise<T>): Promise<T> {
    const reading = this.#reading()
    try {
      const found = await read(this.#rows)
      reading.check()
      return found
    } catch (error) {
      throw reading.failure(error)
    }
  }

  /** Rows that are read while they are forgotten are neither the old ones nor the new; on disk they are taken away under who reads them. */
  #reading(): { check(): void; failure(error: unknown): unknown } {
    const restarts = this.#restarts
    const { topic } = this.#options
    const wasTaken = () => this.#isClosed || this.#restarts !== restarts
    const notRead = (cause?: unknown) => {
      const detail = this.#isClosed ? { detail: 'It was closed.' } : {}
      return new CodedError('TABLE_NOT_READ', { operation: 'read the table', topic, ...detail, cause })
    }
    if (this.#isClosed) throw notRead()
    return {
      check: () => {
        if (wasTaken()) throw notRead()
      },
      failure: (error) => {
        if (error instanceof CodedError && error.code === 'TABLE_NOT_READ') return error
        return wasTaken() || !this.isComplete ? notRead(error) : error
      },
    }
  }

  async #take(records: FetchedRecords): Promise<void> {
    const changes: RecordedChange[] = []
    const keepsJson = this.#rows instanceof RowsOnDisk
    for (let record = records.next(); record !== null; record = records.next()) {
      const key = record.key()?.toString()
      if (key === undefined) continue
      const json = record.value()
      const row = json === null ? null : parseRow(json)
      // What is no row is not shown; nor is it a deletion.
      if (json !== null && row === null) continue
      const change = { key, row: row === null ? null : { key, ...row } }
      changes.push({ ...change, json: json !== null && keepsJson ? Buffer.from(json) : json })
    }
    if (changes.length > 0) await this.#apply(changes)
    for (const { key, row } of changes) this.#tell('change', { key, row })
  }

  /** A listener that throws must not be taken for a topic that cannot be read. */
  #tell<Name extends keyof TableEvents>(name: Name, ...facts: TableEvents[Name]): void {
    for (const listener of this.rawListeners(name)) {
      try {
        ;(listener as (...facts: TableEvents[Name]) => void).apply(this, facts)
      } catch (error) {
        this.#options.log.error({ error }, 'A listener of the table has thrown')
      }
    }
  }

  async #apply(changes: readonly RecordedChange[]): Promise<void> {
    const { maxRowsInMemory = defaultMaxRowsInMemory } = this.#options
    await this.#rows.apply(changes)
    if (this.#rows instanceof RowsInMemory && this.#rows.size > maxRowsInMemory)
      await this.#moveToDisk(this.#rows)
  }

  async #sweep(): Promise<void> {
    const { databases, log } = this.#options
    const found = this.#options.directory ?? usersDirectory()
    const directory = await Promise.resolve(found).catch((error: unknown) => {
      log.warn({ error }, 'The temporary directory cannot be looked at')
      return null
    })
    if (directory !== null) await TableDirectory.removeLeftovers(directory, databases, log)
  }

  async #moveToDisk(rows: RowsInMemory): Promise<void> {
    const { databases, directory, log, topic } = this.#options
    log.info({ topic, rows: rows.size }, 'The table is large; its rows go to disk')
    if (directory === undefined) this.#temporary ??= await temporaryDirectory()
    const onDisk = await RowsOnDisk.open(databases, directory ?? this.#temporary?.path ?? '')
    try {
      for await (const chunk of rows.chunks(null)) {
        await onDisk.apply(
          chunk.map((row) => {
            const { key, ...json } = row
            return { key, row, json: Buffer.from(JSON.stringify(json)) }
          }),
        )
      }
    } catch (error) {
      // The disk may be full: what was begun would stand in the way of the next attempt.
      await onDisk.close()
      throw error
    }
    this.#rows = onDisk
  }

  async #restart(): Promise<void> {
    this.#restarts += 1
    await this.#rows.clear()
    this.#tell('restart')
  }
}

function by(window: string | undefined): RowOrder['by'] {
  return window === undefined ? 'count' : { window }
}
