/**
 * Writes dead letters back to the input as the records they were: key, value and headers, in their partition, with the time of now.
 * Each is written back at most once, whatever is killed, by transactions that also commit how far the replay has got:
 *
 *   1. Look up the topics.
 *   2. InitProducerId, under the one transactional id of all replays: fences another one, and finishes what it has left open.
 *   3. Look what the dead-letter topic holds now: letters that are written from here on, by records that fail again, are left for the
 *      next replay. Read how far all replays have got. Both after 2: nobody else moves it now.
 *   4. Read on from there; batch by batch one transaction: the records, and the marks behind them.
 *   5. Where a transaction's outcome is open: again from 2, which decides it.
 */
import { CodedError, coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { GroupIdentity, KafkaClient, TransactionalProducer } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import type { Config } from '../config/index.ts'
import { type AllProgress, readProgress } from './known-progress.ts'
import { committedRanges, type Letter, type LetterRange, letterChunks } from './letters.ts'
import { ReplayBatch } from './replay-batch.ts'
import { decide, noLetters, type ReplayCounts, type ReplayDecision } from './replay-decision.ts'
import {
  commitOf,
  knownSince,
  markAfter,
  type ReplayMark,
  replayGroup,
  replayTransactionalId,
} from './replay-progress.ts'
import { type DeadLetterTopics, deadLetterTopics } from './topics.ts'

export interface ReplayOptions {
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly log: Log
  readonly config: Config
  /** Only letters of this code; null: of all. */
  readonly code: string | null
  /** Letters to write back at the most; may be infinite. */
  readonly limit: number
  /** Letters a second; null: as fast as possible. */
  readonly rate: number | null
  /** Says what would be done, and does nothing. */
  readonly isDryRun: boolean
  /** Letters older than a week count as not replayed where nobody knows. */
  readonly isNeverReplayed: boolean
  /** Letters that seem to be repetitions are written back too. */
  readonly isRepeatedWanted: boolean
  /** Asked between letters; what is begun is finished. */
  isStopped(): boolean
  /** Offsets of the dead-letter topic that are passed, of all. */
  onProgress(done: number, total: number): void
}

export interface ReplayReport extends ReplayCounts {
  /** Offsets that retention has deleted although no replay had come so far. */
  readonly deleted: number
  /** Whether all that was there at the start has been looked at. */
  readonly isComplete: boolean
}

/** A transaction that a killed replay has left open holds back the readers of the input for as long, and no longer. */
const transactionTimeoutMs = 10_000
const mostAttempts = 10
const againAfterMs = 500
/** Such failures leave a producer dead, and the letters to be read again. */
const passing: ReadonlySet<string> = new Set([
  'OUTCOME_UNKNOWN',
  'KAFKA_UNREACHABLE',
  'KAFKA_RETRIABLE',
  // Retention has just deleted what was to be read next.
  'OFFSET_OUT_OF_RANGE',
])

/**
 * Throws TOPIC_MISSING, REPLAY_PROGRESS_LOST, PRODUCER_FENCED where another replay has begun meanwhile, and what the Kafka port
 * throws; all that was committed before stays so, and the next replay goes on behind it.
 */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { kafka, clock, log, config } = options
  // 1.
  const topics = await deadLetterTopics(kafka.admin, config)
  if (topics.input === null)
    throw new CodedError('TOPIC_MISSING', { operation: 'dlq replay', topic: config.inputTopic })
  const { name: topic, partitionCount } = topics.dlq
  const rangesNow = () => committedRanges({ kafka, topic }, partitionCount)
  if (options.isDryRun) return await new ReplayRun(options, topics, await rangesNow()).go(null)
  let run: ReplayRun | null = null
  let committed = 0
  for (let attempt = 1; ; attempt++) {
    const producer = kafka.producer({
      transactionalId: replayTransactionalId(config.appId),
      transactionTimeoutMs,
    })
    try {
      // 2.
      await producer.init()
      // After 2, so that nobody has committed beyond these ends.
      run ??= new ReplayRun(options, topics, await rangesNow())
      return await run.go(producer)
    } catch (error) {
      const failure = coded(error, 'dlq replay')
      if (failure.code === 'PRODUCER_FENCED') throw fenced(failure)
      // A long replay meets many passing troubles; they count from the last progress on.
      if (run !== null && run.commits > committed) {
        committed = run.commits
        attempt = 1
      }
      if (!passing.has(failure.code) || attempt === mostAttempts) throw failure
      // 5.
      log.warn({ code: failure.code, attempt }, `${failure.message} The replay goes on from its last commit.`)
      await clock.sleep(againAfterMs)
    } finally {
      producer.close()
    }
  }
}

function fenced(cause: CodedError): CodedError {
  return new CodedError('PRODUCER_FENCED', {
    operation: 'dlq replay',
    detail: 'Another replay has begun, or this one stood still for ten seconds.',
    hint: 'Run one replay at a time. What this one had committed is done; the next one goes on behind it.',
    cause,
  })
}

class ReplayRun {
  readonly #options: ReplayOptions
  readonly #topics: DeadLetterTopics
  readonly #ranges: readonly LetterRange[]
  readonly #group: GroupIdentity
  readonly #startedAt: number
  readonly #counts: ReplayCounts = noLetters()
  /** Batches that were committed. */
  commits = 0
  /** The transaction whose end was asked for and not heard of. */
  #inDoubt: ReplayBatch | null = null
  #deleted = 0

  constructor(options: ReplayOptions, topics: DeadLetterTopics, ranges: readonly LetterRange[]) {
    this.#options = options
    this.#topics = topics
    this.#ranges = ranges
    this.#startedAt = options.clock.monotonic()
    // No member of a group: the broker takes that for a commit by hand, and makes the group.
    const groupId = replayGroup(options.config.appId, options.code)
    this.#group = { groupId, generationId: -1, memberId: '', instanceId: null }
  }

  /** Steps 3 and 4. Without a producer nothing is written. */
  async go(producer: TransactionalProducer | null): Promise<ReplayReport> {
    const { kafka, clock, config, code } = this.#options
    const ends = this.#ranges.map(({ to }) => to)
    // 3.
    const progress = await readProgress(kafka.admin, config.appId, this.#topics, ends)
    const own = this.#ranges.map(({ partition }) => progress.mark(code, partition))
    this.#settle(own)
    const ranges = await this.#rangesBehind(own)
    let batch = new ReplayBatch(this.#startMarks(own, ranges), this.#topics.input?.partitionCount ?? 1)
    // 4.
    const reading = letterChunks({ kafka, clock, topic: this.#topics.dlq.name }, ranges)
    for await (const { partition, letters, position } of reading) {
      for (const letter of letters) {
        if (this.#isEnough(batch)) return await this.#finish(producer, batch, false)
        this.#take(letter, batch, progress, producer)
        if (!batch.isFull(this.#options.rate)) continue
        await this.#commit(producer, batch)
        batch = batch.next()
      }
      batch.pass(partition, position)
      this.#tellProgress(batch)
    }
    return await this.#finish(producer, batch, true)
  }

  /** What became of the transaction that was in doubt. */
  #settle(own: readonly (ReplayMark | null)[]): void {
    const batch = this.#inDoubt
    this.#inDoubt = null
    const isCommitted = batch?.marks.every(({ offset }, partition) => own[partition]?.offset === offset)
    if (batch !== null && isCommitted === true) this.#add(batch)
  }

  /** From the marks on. What they speak of may be gone: retention does not ask. */
  async #rangesBehind(own: readonly (ReplayMark | null)[]): Promise<LetterRange[]> {
    const topic = this.#topics.dlq.name
    const starts = await committedRanges({ kafka: this.#options.kafka, topic }, this.#ranges.length)
    this.#deleted = 0
    return this.#ranges.map(({ partition, to }) => {
      const start = starts[partition]?.from ?? 0
      const mark = own[partition]?.offset ?? null
      if (mark !== null) this.#deleted += Math.max(0, start - mark)
      return { partition, from: Math.max(start, mark ?? 0), to }
    })
  }

  #startMarks(own: readonly (ReplayMark | null)[], ranges: readonly LetterRange[]): ReplayMark[] {
    const { clock, isNeverReplayed } = this.#options
    const unknown = { source: -1, time: -1, since: knownSince(clock.now()) }
    return ranges.map(({ partition, from }) => ({
      ...(own[partition] ?? unknown),
      ...(isNeverReplayed && { since: 0 }),
      offset: from,
    }))
  }

  #isEnough(batch: ReplayBatch): boolean {
    const { limit, isStopped } = this.#options
    return this.#counts.replay + batch.counts.replay >= limit || isStopped()
  }

  #take(
    letter: Letter,
    batch: ReplayBatch,
    progress: AllProgress,
    producer: TransactionalProducer | null,
  ): void {
    const { clock, config, code, isNeverReplayed, isRepeatedWanted, isDryRun } = this.#options
    const { partition, offset } = letter
    const { inputTopic } = config
    const rules = { inputTopic, code, now: clock.now(), isNeverReplayed, isRepeatedWanted }
    const mark = batch.markOf(partition)
    const decision = decide(letter, progress.of(partition), rules, mark)
    if (decision === 'unsure' && !isDryRun)
      throw new CodedError('REPLAY_PROGRESS_LOST', {
        operation: 'dlq replay',
        topic: this.#topics.dlq.name,
        partition,
        offset,
      })
    batch.count(decision)
    if (decision === 'replay' && producer !== null) batch.append(letter, producer, clock.now())
    // A letter of another input, or of another code, says nothing about how far ours has been passed.
    const isOurs = decision !== 'other-code' && decision !== 'foreign'
    batch.setMark(partition, isOurs ? markAfter(mark, letter) : { ...mark, offset: offset + 1 })
  }

  async #finish(
    producer: TransactionalProducer | null,
    batch: ReplayBatch,
    isComplete: boolean,
  ): Promise<ReplayReport> {
    // Also where nothing was replayed: a commit is kept for a week only.
    await this.#commit(producer, batch)
    return { ...this.#counts, deleted: this.#deleted, isComplete }
  }

  async #commit(producer: TransactionalProducer | null, batch: ReplayBatch): Promise<void> {
    if (producer !== null) {
      await producer.send(batch.outgoing(this.#options.config.inputTopic))
      const offsets = batch.marks.map((mark, partition) => commitOf(this.#topics, partition, mark))
      await producer.sendOffsets(this.#group, offsets)
      this.#inDoubt = batch
      await producer.commit()
      this.#inDoubt = null
      this.commits += 1
    }
    this.#add(batch)
    this.#tellProgress(batch)
    await this.#slowDown()
  }

  #add(batch: ReplayBatch): void {
    for (const [decision, count] of Object.entries(batch.counts))
      this.#counts[decision as ReplayDecision] += count
  }

  async #slowDown(): Promise<void> {
    const { rate, clock } = this.#options
    if (rate === null) return
    const dueMs = (this.#counts.replay / rate) * 1000
    await clock.sleep(Math.max(0, dueMs - (clock.monotonic() - this.#startedAt)))
  }

  #tellProgress(batch: ReplayBatch): void {
    const total = this.#ranges.reduce((sum, { from, to }) => sum + to - from, 0)
    const left = this.#ranges.reduce((sum, { partition, to }) => sum + to - batch.markOf(partition).offset, 0)
    this.#options.onProgress(Math.max(0, total - left), total)
  }
}
