/**
 * Writes dead letters back to the input as the records they were: key, value and headers, in their partition, with the time of now.
 * Each is written back at most once, whatever is killed, by transactions that also commit how far the replay has got:
 *
 *   1. Look up the topics; make the one that keeps the progress.
 *   2. InitProducerId, under the one transactional id of all replays: fences another one, and finishes what it has left open.
 *   3. Look what the dead-letter topic holds now: letters that are written from here on, by records that fail again, are left for the
 *      next replay. Read how far all replays have got. Both after 2: nobody else moves it now.
 *   4. Read on from there; batch by batch one transaction: the records, and the marks behind them.
 *   5. Where a transaction's outcome is open: again from 2, which decides it.
 */
import { CodedError, coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaClient, Outgoing, TransactionalProducer } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import type { Config } from '../config/index.ts'
import { type AllProgress, readProgress, setUpProgress } from './known-progress.ts'
import { committedRanges, type Letter, type LetterRange, letterChunks } from './letters.ts'
import { batchBytes, ReplayBatch } from './replay-batch.ts'
import {
  decide,
  markAfter,
  noLetters,
  type RepeatedLetters,
  type ReplayCounts,
  type ReplayDecision,
} from './replay-decision.ts'
import { encodeMark, noMark, nothingPassed, type ReplayMark } from './replay-progress.ts'
import { type DeadLetterTopics, deadLetterTopics, progressTopic, replayTransactionalId } from './topics.ts'

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
  readonly repeated: RepeatedLetters
  /** Asked between letters, and while none come; a transaction that is begun is finished. */
  isStopped(): boolean
  /** Offsets of the dead-letter topic that are passed, of all. */
  onProgress(done: number, total: number): void
}

export interface ReplayReport extends ReplayCounts {
  /** Offsets that retention has deleted although no replay had come so far. */
  readonly deleted: number
  /** Whether all that was there at the start is done with, or can never be. */
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
 * Throws TOPIC_MISSING, TOPIC_MISMATCH, PRODUCER_FENCED where another replay has begun meanwhile, and what the Kafka port throws; all that was committed before stays so, and the next replay goes on behind it.
 */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { kafka, clock, log, config } = options
  // 1.
  const found = await deadLetterTopics(kafka.admin, config)
  if (found.input === null)
    throw new CodedError('TOPIC_MISSING', { operation: 'dlq replay', topic: config.inputTopic })
  // A broker that has just started may not know of a topic; that there is one must not be overlooked.
  const topics = options.isDryRun ? found : { ...found, progress: await setUpProgress(kafka.admin, config) }
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
      if (!passing.has(failure.code) || attempt === mostAttempts || options.isStopped()) throw failure
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
  readonly #startedAt: number
  readonly #counts: ReplayCounts = noLetters()
  /** Batches that were committed. */
  commits = 0
  /** The transaction whose end was asked for and not heard of. */
  #inDoubt: ReplayBatch | null = null
  #deleted = 0
  /** Partitions of the dead-letter topic in which a repetition waits for the user. */
  readonly #held = new Set<number>()

  constructor(options: ReplayOptions, topics: DeadLetterTopics, ranges: readonly LetterRange[]) {
    this.#options = options
    this.#topics = topics
    this.#ranges = ranges
    this.#startedAt = options.clock.monotonic()
  }

  /** Steps 3 and 4. Without a producer nothing is written. */
  async go(producer: TransactionalProducer | null): Promise<ReplayReport> {
    const { kafka, clock, code, isStopped } = this.#options
    const reader = { kafka, clock, cancelled: isStopped }
    const ends = this.#ranges.map(({ to }) => to)
    // 3.
    const progress = await readProgress(reader, this.#topics, ends)
    if (isStopped()) return this.#report(false)
    const own = this.#ranges.map(({ partition }) => progress.mark(code, partition))
    this.#settle(own)
    const ranges = await this.#rangesBehind(own, progress)
    this.#held.clear()
    let batch = new ReplayBatch(this.#startMarks(own, ranges), this.#topics.input?.partitionCount ?? 1)
    // 4.
    const reading = letterChunks({ ...reader, topic: this.#topics.dlq.name }, ranges)
    for await (const { partition, letters, position } of reading) {
      for (const letter of letters) {
        if (this.#isEnough(batch)) return await this.#finish(producer, batch)
        this.#take(letter, batch, progress, producer)
        if (!batch.isFull(this.#options.rate)) continue
        await this.#commit(producer, batch)
        batch = batch.next()
      }
      if (!this.#held.has(partition)) {
        batch.pass(partition, position)
        if (position >= (ends[partition] ?? 0)) batch.finish(partition)
      }
      this.#tellProgress(batch)
    }
    return await this.#finish(producer, batch)
  }

  /** What became of the transaction that was in doubt. */
  #settle(own: readonly (ReplayMark | null)[]): void {
    const batch = this.#inDoubt
    this.#inDoubt = null
    if (batch === null) return
    const isCommitted = [...batch.moved].every((at) => own[at]?.offset === batch.markOf(at).offset)
    if (isCommitted) this.#add(batch)
  }

  /** From the marks on. What they speak of may be gone: retention does not ask. */
  async #rangesBehind(own: readonly (ReplayMark | null)[], progress: AllProgress): Promise<LetterRange[]> {
    const topic = this.#topics.dlq.name
    const starts = await committedRanges({ kafka: this.#options.kafka, topic }, this.#ranges.length)
    this.#deleted = 0
    return this.#ranges.map(({ partition, to }) => {
      const start = starts[partition]?.from ?? 0
      const mark = own[partition]?.offset ?? 0
      const done = Math.max(mark, progress.mark(null, partition)?.offset ?? 0)
      this.#deleted += Math.max(0, start - done)
      return { partition, from: Math.max(start, mark), to }
    })
  }

  #startMarks(own: readonly (ReplayMark | null)[], ranges: readonly LetterRange[]): ReplayMark[] {
    const begun = this.#options.repeated === 'write' ? nothingPassed : null
    return ranges.map(({ partition, from }) => {
      const mark = own[partition] ?? noMark
      return { ...mark, offset: from, vouched: mark.vouched ?? begun }
    })
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
    const { clock, config, code, repeated } = this.#options
    const { partition } = letter
    const mark = batch.markOf(partition)
    const rules = { inputTopic: config.inputTopic, code, repeated }
    const decision = decide(letter, progress.of(partition), rules, mark)
    if (decision === 'repeated' && repeated === 'ask') this.#held.add(partition)
    if (this.#held.has(partition)) {
      batch.count(decision === 'replay' ? 'held' : decision)
      return
    }
    batch.count(decision)
    if (decision === 'replay' && producer !== null) batch.append(letter, producer, clock.now())
    batch.setMark(partition, markAfter(mark, letter, decision))
  }

  async #finish(producer: TransactionalProducer | null, batch: ReplayBatch): Promise<ReplayReport> {
    await this.#commit(producer, batch)
    return this.#report(this.#ranges.every(({ partition, to }) => batch.markOf(partition).offset >= to))
  }

  #report(isComplete: boolean): ReplayReport {
    return { ...this.#counts, deleted: this.#deleted, isComplete }
  }

  async #commit(producer: TransactionalProducer | null, batch: ReplayBatch): Promise<void> {
    if (producer !== null && batch.moved.size > 0) {
      const records = batch.outgoing(this.#options.config.inputTopic)
      await producer.send([...records, this.#progressOf(batch, producer)])
      this.#inDoubt = batch
      await producer.commit()
      this.#inDoubt = null
      this.commits += 1
    }
    this.#add(batch)
    this.#tellProgress(batch)
    await this.#slowDown()
  }

  #progressOf(batch: ReplayBatch, producer: TransactionalProducer): Outgoing {
    const { clock, config, code } = this.#options
    const records = producer.appender(batchBytes)
    for (const partition of batch.moved) {
      const { key, value } = encodeMark(code, partition, batch.markOf(partition), this.#topics)
      records.append(key, value, clock.now())
    }
    return { partition: { topic: progressTopic(config), partition: 0 }, records }
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
