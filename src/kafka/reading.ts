/** How far one partition is read, from a `seek` on. */
import type { CodedError } from '../errors.ts'
import type { FetchedRecords, TopicPartition } from '../ports/kafka.ts'
import type { Random } from '../ports/random.ts'
import { Backoff, missingTopicMs } from './retry.ts'

/** A damaged answer may have been damaged on its way: the log is asked again before it is blamed. */
const corruptAnswersEndured = 2
/** So many answers must say that nothing lies before the last stable offset until it is believed. */
const emptyAnswersBelieved = 3

export class Reading {
  readonly partition: TopicPartition
  /** Where the next fetch begins, or the unread chunk if there is one. */
  position: number
  lastStableOffset: number | null = null
  unread: FetchedRecords | null = null
  paused = false
  inFlight = false
  failed = false
  /** Not to be fetched before, on the monotonic clock. */
  notBefore = 0
  /** Everything that was committed before this moment has been taken, on the monotonic clock; null until the end was first seen. */
  currentAt: number | null = null
  /** What `currentAt` will be once the unread chunk has been taken. */
  private nextCurrentAt: number | null = null
  private readonly backoff: Backoff
  private missingSince: number | null = null
  private corruptAnswers = 0
  private emptyAnswers = 0
  private readonly isCompacted: boolean

  constructor(
    { topic, partition }: TopicPartition,
    position: number,
    options: { random: Random; isCompacted: boolean },
  ) {
    this.partition = { topic, partition }
    this.position = position
    this.backoff = new Backoff(options.random)
    this.isCompacted = options.isCompacted
  }

  get wantsFetch(): boolean {
    return !this.paused && !this.inFlight && !this.failed && this.unread === null
  }

  get isAtEnd(): boolean {
    return this.lastStableOffset !== null && this.position >= this.lastStableOffset
  }

  /** The unread chunk; the position moves past it. */
  take(): FetchedRecords | null {
    const chunk = this.unread
    if (chunk !== null) this.position = chunk.nextOffset
    this.unread = null
    this.currentAt = this.nextCurrentAt
    return chunk
  }

  /** Takes what a fetch asked for at `askedAt` has brought; true if there is anything new to know. */
  accept(
    chunk: FetchedRecords,
    answer: { mustHaveRecords: boolean; hasBytes: boolean; askedAt: number },
  ): boolean {
    this.backoff.reset()
    this.missingSince = null
    this.corruptAnswers = 0
    const before = { position: this.position, lastStableOffset: this.lastStableOffset }
    this.lastStableOffset = chunk.lastStableOffset
    if (chunk.nextOffset >= chunk.lastStableOffset) this.nextCurrentAt = answer.askedAt
    if (chunk.recordCount > 0) {
      this.unread = chunk
      this.emptyAnswers = 0
      return true
    }
    this.position = chunk.nextOffset
    this.currentAt = this.nextCurrentAt
    if (answer.hasBytes || this.isAtEnd) this.emptyAnswers = 0
    else if (answer.mustHaveRecords && this.isCompacted) this.passHole(chunk.lastStableOffset)
    return this.position !== before.position || this.lastStableOffset !== before.lastStableOffset
  }

  /**
   * The first partition of a request gets at least one batch if there is any. Where there is none although the last stable
   * offset is ahead, compaction has emptied the rest of the log. In a topic that is not compacted it means nothing: a broker
   * also answers so while the records come from a remote tier.
   */
  private passHole(lastStableOffset: number): void {
    this.emptyAnswers++
    if (this.emptyAnswers < emptyAnswersBelieved) return
    this.position = lastStableOffset
    this.emptyAnswers = 0
  }

  delay(now: number): void {
    this.notBefore = now + this.backoff.next()
  }

  /** Whether the failure may pass by itself; then the next fetch is put off. */
  endures(failure: CodedError, now: number): boolean {
    if (!this.mayPass(failure, now)) return false
    this.delay(now)
    return true
  }

  private mayPass(failure: CodedError, now: number): boolean {
    switch (failure.code) {
      case 'OUTCOME_UNKNOWN':
        return true
      case 'TOPIC_MISSING':
        this.missingSince ??= now
        return now - this.missingSince < missingTopicMs
      case 'CORRUPT_BATCH':
        return this.corruptAnswers++ < corruptAnswersEndured
      default:
        return failure.behaviour === 'retry'
    }
  }
}
