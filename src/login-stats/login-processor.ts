import { type ErrorCode, errorTable } from '../errors.ts'
import type { RecordView } from '../ports/kafka.ts'
import {
  Combiner,
  type FlushReason,
  type Processor,
  type ProcessorContext,
  type SinkHandle,
  type SourcePosition,
} from '../streams/index.ts'
import { deadLetter } from './domain/dead-letter.ts'
import { Enricher } from './domain/enriched.ts'
import { LoginFold } from './domain/login-fold.ts'
import { LoginParser } from './domain/login-parser.ts'
import { loginAggregate } from './login-aggregate.ts'
import { type LoginStatsSettings, sinks } from './login-stats-settings.ts'

/** What a partial count takes in memory, about. */
const bytesPerKey = 200

/**
 * The first stage: reads each login, sends invalid ones to the dead-letter topic and enriched ones to theirs, and folds the
 * valid ones into partial counts, which go to the second stage at each commit.
 */
export class LoginProcessor implements Processor<RecordView> {
  readonly #context: ProcessorContext
  readonly #settings: LoginStatsSettings
  readonly #parser: LoginParser
  readonly #fold: LoginFold
  readonly #combiner: Combiner<unknown, unknown>
  readonly #deadLetters: SinkHandle | null
  readonly #enriched: SinkHandle | null
  readonly #enricher = new Enricher()

  constructor(context: ProcessorContext, settings: LoginStatsSettings) {
    const { dimensions, windows, maxClockSkewMs } = settings
    this.#context = context
    this.#settings = settings
    this.#parser = new LoginParser({ dimensions, maxClockSkewMs })
    this.#fold = new LoginFold({ dimensions, windows })
    this.#combiner = new Combiner(context, loginAggregate(windows), this.#fold, {
      sink: sinks.partialCounts,
      sourceTopics: [settings.inputTopic],
    }) as Combiner<unknown, unknown>
    this.#deadLetters = settings.dlqTopic === null ? null : context.sink(sinks.deadLetters)
    this.#enriched = settings.enrichedTopic === null ? null : context.sink(sinks.enriched)
  }

  process(record: RecordView, position: SourcePosition): void {
    const parser = this.#parser
    const code = parser.parse(record.bytes, record.valueStart, record.valueEnd, record.timestamp)
    if (code !== null) {
      this.#reject(record, position, code)
      return
    }
    this.#fold.limitStreamTime(this.#context.now() + this.#settings.maxClockSkewMs)
    this.#fold.add(parser)
    this.#context.advanceStreamTime(parser.eventTimeMs)
    if (this.#enriched !== null) this.#enrich(record, this.#enriched)
  }

  #reject(record: RecordView, position: SourcePosition, code: ErrorCode): void {
    if (this.#deadLetters === null) return
    const { offset, timestamp } = record
    const message = this.#parser.problem === '' ? errorTable[code].cause : this.#parser.problem
    const { key, value, headers } = deadLetter(
      { key: record.key(), value: record.value(), headers: record.headers(), ...position, offset, timestamp },
      { code, message },
      this.#deadLetters.maxRecordBytes,
    )
    this.#deadLetters.send(key, value, this.#context.now(), headers)
  }

  #enrich(record: RecordView, sink: SinkHandle): void {
    const now = this.#context.now()
    const value = this.#enricher.enrich(record.bytes, record.valueStart, record.valueEnd, {
      eventTimeMs: this.#parser.eventTimeMs,
      processedTimeMs: now,
      hasEnrichedFields: this.#parser.hasEnrichedFields,
    })
    // Kafka refuses records from the future, which the input topic may have been allowed to hold.
    sink.send(record.key(), value, Math.min(record.timestamp, now))
  }

  flush(reason: FlushReason): void {
    this.#combiner.flush(reason)
  }

  wantsCommit(): boolean {
    return this.#combiner.wantsCommit()
  }

  sizeInBytes(): number {
    return this.#fold.keyCount * bytesPerKey
  }
}
