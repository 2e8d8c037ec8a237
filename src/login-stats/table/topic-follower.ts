/**
 * Follows a topic from its start, for as long as it is wanted:
 *
 *   1. The topic is looked up, and every partition is read from its first record on, committed records alone.
 *   2. Once each partition has been read to its end, the reader is complete. From then on it knows how old it is: whatever was
 *      committed before that has been taken.
 *   3. Troubles of the brokers only make it older, passing ones and lasting ones: afterwards it goes on where it was.
 *   4. A topic that was made anew, has got more partitions, or has lost records that were not read yet is read from its start
 *      again: what it held before counts no more. So is one of which records were half taken, and a compacted one that could not be read
 *      for so long that deletions may be forgotten there.
 */
import { CodedError, coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import {
  type FetchedRecords,
  type Fetcher,
  type KafkaClient,
  partitionsOf,
  type TopicInfo,
  type TopicPartition,
} from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { WakeUp } from '../../ports/wake-up.ts'

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
/** The reader is no younger than the last look-up: a topic that was made anew since then may be another one. */
const identityIntervalMs = 1000
const firstRetryMs = 250
const longestRetryMs = 5000
/** Half of how long Kafka keeps deletions in a compacted topic by default. */
const deletionsKeptMs = 12 * 3_600_000

/** What a look-up has found; both null while it is under way. */
interface LookUp {
  isAnother: boolean | null
  failure: CodedError | null
}

export class TopicFollower {
  readonly #followed: FollowedTopic
  readonly #log: Log
  readonly #complete = Promise.withResolvers<void>()
  #isComplete = false
  #isClosed = false
  #currentAt: number | null = null
  /** How far the wall clock was ahead of the monotonic one then, which stands still while the machine sleeps. */
  #aheadMs = 0
  #positions = new Map<number, number>()
  /** Of which topic all is taken up to the positions, and nothing else; null: it must be read from its start. */
  #taken: TopicInfo | null = null
  #hasRead = false
  /** When the topic was last found, on the monotonic clock: asked for, that is. */
  #knownAt = 0
  /** When it was last asked for, found or not. */
  #askedAt = 0
  /** That the last look-up has not found it. */
  #missing: CodedError | null = null
  /** What has stopped the reading. */
  #failure: CodedError | null = null
  /** Something has arrived, or it is closed. */
  readonly #news: WakeUp
  readonly #closing: WakeUp
  #ended: Promise<void> = Promise.resolve()

  constructor(followed: FollowedTopic) {
    this.#followed = followed
    this.#log = followed.log.child({ topic: followed.topic })
    this.#news = new WakeUp(followed.clock)
    this.#closing = new WakeUp(followed.clock)
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

  /**
   * A moment on the monotonic clock: what readers of committed records could see before it has been taken; null until that is known.
   */
  get currentAt(): number | null {
    return this.#currentAt
  }

  /** How long ago that was, in ms. */
  get ageMs(): number | null {
    if (this.#currentAt === null) return null
    return Math.max(0, Math.ceil(this.#followed.clock.monotonic() - this.#currentAt))
  }

  /** The next offset to read, by partition: that at which a partition ends, once all of it has been taken. */
  get positions(): ReadonlyMap<number, number> {
    return this.#positions
  }

  /** Why nothing can be read at present; null while all is well. */
  get failure(): CodedError | null {
    return this.#missing ?? this.#failure
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#complete.reject(
      new CodedError('INTERNAL', { operation: 'follow a topic', detail: 'It was closed.' }),
    )
    this.#news.call()
    this.#closing.call()
    await this.#ended
  }

  async #run(): Promise<void> {
    let retryMs = firstRetryMs
    while (!this.#isClosed) {
      try {
        await this.#follow()
        retryMs = firstRetryMs
      } catch (cause) {
        if (this.#isClosed) return
        // Something was read since the last failure.
        if (this.#failure === null) retryMs = firstRetryMs
        this.#failure = coded(cause, 'follow a topic')
        this.#missing = null
        // What it holds is neither what was before nor what is.
        if (this.#taken === null) this.#forgetAge()
        if (this.#failure.code === 'OFFSET_OUT_OF_RANGE') this.#taken = null
        this.#log.warn({ code: this.#failure.code, retryMs }, this.#failure.message)
        await this.#closing.wait(retryMs)
        retryMs = Math.min(2 * retryMs, longestRetryMs)
      }
    }
  }

  /** Reads until it is closed, or the topic is another one; throws what stops the reading. */
  async #follow(): Promise<void> {
    const { kafka, topic, isCompacted } = this.#followed
    const identity = await this.#identity()
    if (identity === undefined) throw missing(topic)
    const partitions = partitionsOf(topic, identity.partitionCount)
    if (this.#taken === null || !isSame(this.#taken, identity)) await this.#begin(identity, partitions)
    const fetcher = kafka.fetcher({ maxWaitMs: pollMs, isCompacted })
    fetcher.onArrival(this.#news.call)
    try {
      for (const each of partitions) fetcher.seek(each, this.#positions.get(each.partition) ?? 0)
      await this.#read(fetcher, partitions, identity)
    } finally {
      await fetcher.close()
    }
  }

  /** Forgets what was taken, and begins at the first records. */
  async #begin(identity: TopicInfo, partitions: readonly TopicPartition[]): Promise<void> {
    const { kafka, restart } = this.#followed
    const starts = await kafka.admin.listOffsets(partitions, 'earliest')
    // First: nobody may take for complete what is being forgotten.
    this.#forgetAge()
    this.#taken = null
    if (this.#hasRead) await restart()
    this.#hasRead = true
    this.#positions = new Map(partitions.map(({ partition }) => [partition, starts[partition] ?? 0]))
    this.#taken = identity
  }

  async #read(fetcher: Fetcher, partitions: readonly TopicPartition[], identity: TopicInfo): Promise<void> {
    const { clock, take } = this.#followed
    let lookUp: LookUp | null = null
    while (!this.#isClosed) {
      // Also past what nobody may see, such as the ends of transactions.
      for (const each of partitions) this.#positions.set(each.partition, fetcher.position(each))
      if (!this.#noteAge(fetcher, partitions)) return
      fetcher.throwFailure()
      if (lookUp?.failure) throw lookUp.failure
      if (lookUp?.isAnother === true) return
      if (lookUp === null || lookUp.isAnother === false) {
        if (clock.monotonic() - this.#askedAt >= identityIntervalMs) lookUp = this.#lookUp(identity)
      }
      const records = fetcher.poll()
      if (records === null) {
        await this.#news.wait(pollMs)
        continue
      }
      // What is half taken cannot be gone on with.
      this.#taken = null
      await take(records)
      this.#taken = identity
      this.#failure = null
      // What was fetched ahead would else be taken in one go.
      await clock.yield()
    }
  }

  #forgetAge(): void {
    this.#isComplete = false
    this.#currentAt = null
  }

  /** Called while all that was polled has been taken. False where so much time was missed that deletions may have been missed with it. */
  #noteAge(fetcher: Fetcher, partitions: readonly TopicPartition[]): boolean {
    let oldest = Number.POSITIVE_INFINITY
    for (const each of partitions)
      oldest = Math.min(oldest, fetcher.currentAt(each) ?? Number.NEGATIVE_INFINITY)
    if (oldest === Number.NEGATIVE_INFINITY) return true
    const { clock, isCompacted } = this.#followed
    const aheadMs = clock.now() - clock.monotonic()
    const missedMs =
      this.#currentAt === null ? 0 : oldest - this.#currentAt + Math.max(0, aheadMs - this.#aheadMs)
    if (isCompacted && missedMs > deletionsKeptMs) {
      this.#taken = null
      return false
    }
    const currentAt = Math.min(oldest, this.#knownAt)
    // Of a reading that does not get on, the whole time counts.
    if (currentAt !== this.#currentAt) this.#aheadMs = aheadMs
    this.#currentAt = currentAt
    this.#failure = null
    if (this.#isComplete) return true
    this.#isComplete = true
    this.#complete.resolve()
    this.#followed.completed?.()
    return true
  }

  /** Looks the topic up while the reading goes on. */
  #lookUp(identity: TopicInfo): LookUp {
    const lookUp: LookUp = { isAnother: null, failure: null }
    this.#identity().then(
      (found) => {
        // One that is missing may come back: what has been read of it stands until then, and grows older.
        lookUp.isAnother = found !== undefined && !isSame(found, identity)
        if (lookUp.isAnother) this.#log.warn({}, 'The topic is another one now; it is read from its start')
        this.#news.call()
      },
      (cause: unknown) => {
        const failure = coded(cause, 'look a topic up')
        // Passing troubles say nothing about the topic; the fetcher endures them too.
        if (failure.behaviour === 'retry') lookUp.isAnother = false
        else lookUp.failure = failure
        this.#news.call()
      },
    )
    return lookUp
  }

  async #identity(): Promise<TopicInfo | undefined> {
    const { kafka, clock, topic } = this.#followed
    const askedAt = clock.monotonic()
    this.#askedAt = askedAt
    const found = (await kafka.admin.topics([topic])).get(topic)
    if (found !== undefined) this.#knownAt = askedAt
    this.#missing = found === undefined ? missing(topic) : null
    return found
  }
}

function missing(topic: string): CodedError {
  return new CodedError('TOPIC_MISSING', { operation: 'follow a topic', topic })
}

function isSame(a: TopicInfo, b: TopicInfo): boolean {
  return a.topicId === b.topicId && a.partitionCount === b.partitionCount
}
