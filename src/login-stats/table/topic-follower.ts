/**
 * Follows a topic from its start, for as long as it is wanted:
 *
 *   1. The topic is looked up, and every partition is read from its first record on, committed records alone.
 *   2. Once each partition has been read to its end, the reader is complete. From then on it knows how old it is: whatever was
 *      committed before that has been taken.
 *   3. Passing troubles of the brokers only make it older.
 *   4. A topic that was made anew, has got more partitions, or has lost records that were not read yet is read from its start
 *      again: what it held before counts no more.
 */
import { CodedError, coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FetchedRecords, Fetcher, KafkaClient, TopicInfo, TopicPartition } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'

export interface FollowedTopic {
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly log: Log
  readonly topic: string
  /** Whether only the last record of a key stays in it. */
  readonly isCompacted: boolean
  /** Takes the records of one partition, in order. The reading waits for it. */
  take(records: FetchedRecords): Promise<void> | void
  /** Forgets everything: the topic is read from its start again. */
  restart(): Promise<void> | void
  /** The topic has been read to its end: for the first time, or once more after a restart. */
  completed?(): void
}

const pollMs = 200
const identityIntervalMs = 5000
const firstRetryMs = 250
const longestRetryMs = 5000

export class TopicFollower {
  readonly #followed: FollowedTopic
  readonly #log: Log
  readonly #complete = Promise.withResolvers<void>()
  #isComplete = false
  #isClosed = false
  #currentAt: number | null = null
  #positions = new Map<number, number>()
  #hasRead = false
  #failure: CodedError | null = null
  #wake = (): void => undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(followed: FollowedTopic) {
    this.#followed = followed
    this.#log = followed.log.child({ topic: followed.topic })
    // Who does not wait for it need not handle it either.
    this.#complete.promise.catch(() => undefined)
  }

  /** Begins to read. Goes on by itself until `close`. */
  start(): void {
    this.#ended = this.#run()
  }

  /** Resolves when the topic has been read to its end for the first time; rejects if it is closed before. */
  get complete(): Promise<void> {
    return this.#complete.promise
  }

  /** Whether all that was there has been taken since the last start over. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** Everything that was committed more than so many ms ago has been taken; null until that is known. */
  get ageMs(): number | null {
    if (this.#currentAt === null) return null
    return Math.max(0, Math.ceil(this.#followed.clock.monotonic() - this.#currentAt))
  }

  /** The next offset to read, by partition. */
  get positions(): ReadonlyMap<number, number> {
    return this.#positions
  }

  /** Why nothing can be read at present; null while all is well. */
  get failure(): CodedError | null {
    return this.#failure
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#complete.reject(
      new CodedError('INTERNAL', { operation: 'follow a topic', detail: 'It was closed.' }),
    )
    this.#wake()
    await this.#ended
  }

  async #run(): Promise<void> {
    let retryMs = firstRetryMs
    while (!this.#isClosed) {
      try {
        await this.#follow()
        retryMs = firstRetryMs
      } catch (cause) {
        this.#failure = coded(cause, 'follow a topic')
        this.#log.warn({ code: this.#failure.code, retryMs }, this.#failure.message)
        await this.#pause(retryMs)
        retryMs = Math.min(2 * retryMs, longestRetryMs)
      }
    }
  }

  /** Reads until it is closed, or the topic is another one; throws what stops the reading. */
  async #follow(): Promise<void> {
    const { kafka, topic, isCompacted, restart } = this.#followed
    const identity = await this.#identity()
    if (identity === undefined) throw new CodedError('TOPIC_MISSING', { operation: 'follow a topic', topic })
    const partitions = Array.from({ length: identity.partitionCount }, (_, partition) => ({
      topic,
      partition,
    }))
    const starts = await kafka.admin.listOffsets(partitions, 'earliest')
    if (this.#hasRead) await restart()
    this.#hasRead = true
    this.#isComplete = false
    this.#currentAt = null
    this.#positions = new Map(partitions.map(({ partition }) => [partition, starts[partition] ?? 0]))
    const fetcher = kafka.fetcher({ maxWaitMs: pollMs, isCompacted })
    fetcher.onArrival(() => this.#wake())
    try {
      for (const each of partitions) fetcher.seek(each, starts[each.partition] ?? 0)
      await this.#read(fetcher, partitions, identity)
    } finally {
      await fetcher.close()
    }
  }

  async #read(fetcher: Fetcher, partitions: readonly TopicPartition[], identity: TopicInfo): Promise<void> {
    const { clock, take } = this.#followed
    let lookedAt = clock.monotonic()
    while (!this.#isClosed) {
      this.#noteAge(fetcher, partitions)
      fetcher.throwFailure()
      if (clock.monotonic() - lookedAt >= identityIntervalMs) {
        lookedAt = clock.monotonic()
        if (await this.#isAnother(identity)) return
      }
      const records = fetcher.poll()
      if (records === null) {
        await this.#pause(pollMs)
        continue
      }
      await take(records)
      this.#positions.set(records.partition, records.nextOffset)
      this.#failure = null
      // What was fetched ahead would else be taken in one go.
      await clock.yield()
    }
  }

  /** Called while all that was polled has been taken. */
  #noteAge(fetcher: Fetcher, partitions: readonly TopicPartition[]): void {
    let oldest = Number.POSITIVE_INFINITY
    for (const each of partitions)
      oldest = Math.min(oldest, fetcher.currentAt(each) ?? Number.NEGATIVE_INFINITY)
    if (oldest === Number.NEGATIVE_INFINITY) return
    this.#currentAt = oldest
    this.#failure = null
    if (this.#isComplete) return
    this.#isComplete = true
    this.#complete.resolve()
    this.#followed.completed?.()
  }

  /** Passing troubles say nothing about the topic; the fetcher endures them too. */
  async #isAnother(identity: TopicInfo): Promise<boolean> {
    try {
      const found = await this.#identity()
      if (found === undefined) return false
      const isSame = found.topicId === identity.topicId && found.partitionCount === identity.partitionCount
      if (!isSame) this.#log.warn({}, 'The topic is another one now; it is read from its start')
      return !isSame
    } catch (cause) {
      const failure = coded(cause, 'look a topic up')
      if (failure.behaviour !== 'retry') throw failure
      return false
    }
  }

  async #identity(): Promise<TopicInfo | undefined> {
    const { kafka, topic } = this.#followed
    return (await kafka.admin.topics([topic])).get(topic)
  }

  async #pause(ms: number): Promise<void> {
    if (this.#isClosed) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      this.#followed.clock.setTimer(ms, resolve)
    })
  }
}
