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
import { ipMaskOf } from './domain/ip-masking.ts'
import { LoginFold } from './domain/login-fold.ts'
import { LoginParser } from './domain/login-parser.ts'
import { loginAggregate } from './login-aggregate.ts'
import { type LoginStatsSettings, sinks } from './login-stats-settings.ts'
import type { LoginMeter, TaskMeter } from './metrics/login-meter.ts'

/** What a partial count takes in memory, and what a login may add to its ticks, about. */
const bytesPerKey = 200
const bytesPerLogin = 64
/** What key, headers and batch add to the value of an enriched record, at the most. */
const enrichedRoomBytes = 1024

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
  readonly #enricher: Enricher
  readonly #meter: TaskMeter

  constructor(context: ProcessorContext, settings: LoginStatsSettings, meter: LoginMeter) {
    const { dimensions, windows, maxClockSkewMs } = settings
    this.#context = context
    this.#settings = settings
    this.#meter = meter.of(context.taskId)
    this.#parser = new LoginParser({ dimensions, maxClockSkewMs })
    this.#fold = new LoginFold({ dimensions, windows })
    this.#combiner = new Combiner(context, loginAggregate(windows), this.#fold, {
      sink: sinks.partialCounts,
      sourceTopics: [settings.inputTopic],
    }) as Combiner<unknown, unknown>
    this.#deadLetters = settings.dlqTopic === null ? null : context.sink(sinks.deadLetters)
    this.#enriched = settings.enrichedTopic === null ? null : context.sink(sinks.enriched)
    this.#enricher = new Enricher(ipMaskOf(settings.enrichedIp))
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
    this.#meter.invalid(code)
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
    const enrichment = {
      eventTimeMs: this.#parser.eventTimeMs,
      processedTimeMs: now,
      hasEnrichedFields: this.#parser.hasEnrichedFields,
    }
    let key = record.key()
    const room = sink.maxRecordBytes - enrichedRoomBytes
    const keySize = key?.length ?? 0
    let value = this.#enricher.enrich(record.bytes, record.valueStart, record.valueEnd, enrichment)
    if (value.length + keySize > room) {
      const counted = this.#countedFields(record.valueEnd - record.valueStart)
      value = this.#enricher.enrich(counted, 0, counted.length, { ...enrichment, hasEnrichedFields: false })
      // A part of a key would be the key of something else.
      if (value.length + keySize > room) key = null
    }
    // Kafka refuses records from the future, which the input topic may have been allowed to hold.
    sink.send(key, value, Math.min(record.timestamp, now))
  }

  /** What is left of a login that, with its key, is too large for the enriched topic: the counted fields, and its full size in bytes. */
  #countedFields(size: number): Buffer {
    const { fields, bytes, starts, ends } = this.#parser
    const entries = fields.map((field, index) => [field, bytes.toString('utf8', starts[index], ends[index])])
    return Buffer.from(JSON.stringify({ ...Object.fromEntries(entries), truncated: size }))
  }

  flush(reason: FlushReason): void {
    this.#meter.counted(this.#fold.loginCount)
    this.#combiner.flush(reason)
  }

  wantsCommit(): boolean {
    return this.#combiner.wantsCommit()
  }

  sizeInBytes(): number {
    return this.#fold.keyCount * bytesPerKey + this.#fold.loginCount * bytesPerLogin
  }
}
