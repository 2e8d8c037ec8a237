/**
 * The table and the dead letters as this process follows them for those who ask it over HTTP, and for the insights. Following costs
 * work for each row that changes, so it begins with the first question and ends some minutes after the last.
 */
import { CodedError, coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaClient } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { levelDatabaseOpener } from '../../system/level-database.ts'
import { closeParts } from '../closing.ts'
import { TOTAL_KEY } from '../domain/dimensions.ts'
import { defaultLimits, type Limits } from '../limits.ts'
import { LoginStatsTable } from '../table/index.ts'
import { DeadLetterCounts } from './dead-letter-counts.ts'
import { Rate } from './rate.ts'
import { Scans } from './scans.ts'

export interface FollowedTableOptions {
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly log: Log
  readonly tableTopic: string
  readonly dlqTopic: string | null
  /** For what does not fit into memory. */
  readonly cacheDirectory: string
  readonly limits?: Limits
}

/** All that is followed, while it is. */
export interface Following {
  readonly table: LoginStatsTable
  readonly deadLetters: DeadLetterCounts | null
  /** Of the total. */
  readonly rate: Rate
  /** Whoever looks at all rows does so by these. */
  readonly scans: Scans
}

export const readyWithinMs = 5000
const sampleMs = 1000
const rateSpanMs = 10_000

export class FollowedTable {
  readonly #options: FollowedTableOptions
  readonly #limits: Limits
  #following: Following | null = null
  #stopSampling = (): void => undefined
  #holders = 0
  #usedAt = 0
  #closing: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: FollowedTableOptions) {
    this.#options = options
    this.#limits = options.limits ?? defaultLimits
  }

  /** What is followed, begun if need be, once the table is complete. Throws TABLE_NOT_READ where that takes longer than 5 s. */
  async complete(): Promise<Following> {
    const following = await this.begin()
    const { table } = following
    const deadline = this.#options.clock.monotonic() + readyWithinMs
    while (!table.isComplete) {
      if (this.#isClosed || this.#options.clock.monotonic() >= deadline) {
        throw this.#notRead(table.failure?.message)
      }
      await this.#options.clock.sleep(20)
    }
    return following
  }

  /** What is followed, begun if need be, complete or not. Throws TABLE_NOT_READ where this is closed. */
  async begin(): Promise<Following> {
    await this.#closing
    if (this.#isClosed) throw this.#notRead()
    this.#usedAt = this.#options.clock.monotonic()
    this.#following ??= this.#start()
    return this.#following
  }

  /** Keeps following until the returned function is called. */
  hold(): () => void {
    this.#holders += 1
    let isHeld = true
    return () => {
      if (isHeld) this.#holders -= 1
      isHeld = false
      this.#usedAt = this.#options.clock.monotonic()
    }
  }

  /** Whoever waits for the table is told at once that it is not read. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#closing
    await this.#stop()
  }

  #notRead(failure?: string): CodedError {
    const detail = this.#isClosed ? 'The process ends.' : failure
    return new CodedError('TABLE_NOT_READ', {
      operation: 'read the table',
      topic: this.#options.tableTopic,
      ...(detail === undefined ? {} : { detail }),
    })
  }

  #start(): Following {
    const { kafka, clock, log, tableTopic, dlqTopic, cacheDirectory } = this.#options
    const table = LoginStatsTable.follow({
      ...{ kafka, clock, log, topic: tableTopic, databases: levelDatabaseOpener },
      directory: cacheDirectory,
      maxRowsInMemory: this.#limits.rowsInMemory,
    })
    // One for each client of the stream.
    table.setMaxListeners(0)
    const rate = new Rate(rateSpanMs)
    table.on('restart', () => rate.reset())
    const deadLetters =
      dlqTopic === null ? null : new DeadLetterCounts({ kafka, clock, log, topic: dlqTopic })
    const following = { table, deadLetters, rate, scans: new Scans(this.#limits) }
    const sample = async (): Promise<void> => {
      await this.#sample(following)
      if (this.#following !== following) return
      const isIdle = this.#holders === 0 && clock.monotonic() - this.#usedAt >= this.#limits.idleMs
      // The next question does not wait for one that hangs.
      if (isIdle) this.#closing = closeParts([{ name: 'the table', close: () => this.#stop() }], clock, log)
      else this.#stopSampling = clock.setTimer(sampleMs, sample)
    }
    this.#stopSampling = clock.setTimer(sampleMs, sample)
    return following
  }

  /** Of an old table nobody knows how fast it grows. */
  async #sample({ table, rate }: Following): Promise<void> {
    const { log } = this.#options
    try {
      // Of this moment the count is, not of now: while nothing newer can be read, it is no news that it does not grow.
      const { currentAt } = table
      const isYoung = table.isComplete && (table.ageMs ?? Number.POSITIVE_INFINITY) < rateSpanMs / 2
      const total = isYoung ? await table.get(TOTAL_KEY) : null
      if (total !== null && currentAt !== null) rate.note(currentAt, total.count)
      else if (!isYoung) rate.reset()
    } catch (cause) {
      // It is being made anew, or its disk fails: whoever asks for rows is told.
      log.debug({ error: coded(cause, 'sample the table') }, 'The table cannot be read now')
    }
  }

  async #stop(): Promise<void> {
    const following = this.#following
    this.#following = null
    this.#stopSampling()
    await Promise.all([following?.table.close(), following?.deadLetters?.close()])
  }
}
