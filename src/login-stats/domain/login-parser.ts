/**
 * Reads a login from the bytes of a record: only the fields that are counted, and whether it is valid.
 *
 * Validity (CONTRACT, "Input record"), in the order in which it is judged:
 *
 *   NOT_JSON                the value is null, empty, not UTF-8 (a byte-order mark included), not JSON, or not an object
 *   USER_ID_INVALID         user_id is missing, empty or not a string
 *   TIMESTAMP_INVALID       timestamp is neither a JSON number, nor a string of decimal digits with an optional fraction
 *                           (`1694479551`, `1694479551.25`; no sign, exponent, hex digit, blank or empty string), or it
 *                           is not finite
 *   TIMESTAMP_OUT_OF_RANGE  before 2000-01-01, more than maxClockSkewMs after the record's own timestamp, or beyond the
 *                           last date that ECMAScript knows
 *   FIELD_INVALID           a counted field is there, not null, and not a string, or longer than 256 bytes in UTF-8
 *
 * Of a field that stands twice the last one counts, as in JSON.parse. Fractions of a second are taken to the nearest
 * microsecond, and then cut to whole milliseconds. A lone surrogate (`\ud800`) counts as U+FFFD, as in any UTF-8 encoder.
 *
 * Three ways lead to the same answer, each trying less than the next:
 *
 *   1. The record has the shape of one before it (`login-shape.ts`): everything between the values is compared, not read.
 *   2. It is a flat object of plain ASCII: the scan proves that it is JSON, and allocates nothing.
 *   3. JSON.parse decides about anything else: escapes, other characters, nesting, faults.
 *
 * The first two never refuse a record, they only give up.
 */
import type { ErrorCode } from '../../errors.ts'
import { countedFields, type Dimension, UNKNOWN_VALUE } from './dimensions.ts'
import { ENRICHED_FIELDS } from './enriched.ts'
import { FlatObjectScanner, MISSING, NULL, NUMBER, OTHER, STRING } from './flat-object-scanner.ts'
import { decimalDigitsAt, sameBytes } from './json-scanner.ts'

export interface LoginParserOptions {
  readonly dimensions: readonly Dimension[]
  readonly maxClockSkewMs: number
}

/** A valid login as the fold reads it. Field i is that of `countedFields(dimensions)`. */
export interface ParsedLogin {
  readonly eventTimeMs: number
  /** What `starts` and `ends` refer to. */
  readonly bytes: Buffer
  /** The UTF-8 bytes of the field's value; an empty range where it counts as `unknown`. */
  readonly starts: Int32Array
  readonly ends: Int32Array
}

export const MAX_FIELD_BYTES = 256
export const EARLIEST_EVENT_TIME_MS = Date.UTC(2000, 0, 1)
/** The last millisecond that has a date at all. A record may carry a timestamp beyond it. */
const LATEST_DATE_MS = 8.64e15

const unknownBytes = Buffer.from(UNKNOWN_VALUE)
const noBytes = Buffer.alloc(0)
/** Keeps the byte-order mark, which JSON.parse then refuses. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Mutable and reused: the fields speak of the record that was parsed last, and are valid until the next one. */
export class LoginParser implements ParsedLogin {
  /** The counted fields, in order. */
  readonly fields: readonly string[]
  /** Milliseconds since the epoch; of a valid login. */
  eventTimeMs = 0
  bytes: Buffer = noBytes
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** What is wrong with an invalid record, in one sentence that shows nothing of its content. */
  problem = ''
  /** How many records went to JSON.parse. */
  slowParses = 0

  readonly #maxClockSkewMs: number
  /** First the counted fields, then the others that are needed. What goes by field has this order. */
  readonly #names: readonly string[]
  readonly #scanner: FlatObjectScanner
  #kinds: Uint8Array
  readonly #slowKinds: Uint8Array
  readonly #userId: number
  readonly #timestamp: number
  readonly #enriched: readonly number[]
  /** Holds the counted values where they are not to be found in the record's own bytes. */
  readonly #scratch: Buffer
  #seconds = Number.NaN

  constructor({ dimensions, maxClockSkewMs }: LoginParserOptions) {
    this.fields = countedFields(dimensions)
    this.#maxClockSkewMs = maxClockSkewMs
    this.#names = [...new Set([...this.fields, 'user_id', 'timestamp', ...ENRICHED_FIELDS])]
    this.#userId = this.#names.indexOf('user_id')
    this.#timestamp = this.#names.indexOf('timestamp')
    this.#enriched = ENRICHED_FIELDS.map((name) => this.#names.indexOf(name))
    this.#scanner = new FlatObjectScanner(this.#names)
    this.#slowKinds = new Uint8Array(this.#names.length)
    this.#kinds = this.#slowKinds
    this.starts = this.#scanner.starts
    this.ends = this.#scanner.ends
    this.#scratch = Buffer.alloc(this.fields.length * MAX_FIELD_BYTES)
  }

  /**
   * Reads the record value `bytes[start, end)`; a start below 0 is the null value. Returns null if it is a valid login,
   * else the code of what is wrong. `recordTimestampMs` is the Kafka record's own timestamp.
   */
  parse(bytes: Buffer, start: number, end: number, recordTimestampMs: number): ErrorCode | null {
    if (start < 0) return this.#invalid('NOT_JSON', 'The value is null.')
    if (this.#scanner.scan(bytes, start, end)) {
      this.bytes = bytes
      this.#kinds = this.#scanner.kinds
      this.#seconds = this.#scannedSeconds()
    } else {
      const code = this.#parseSlowly(bytes, start, end)
      if (code !== null) return code
    }
    return this.#judge(recordTimestampMs)
  }

  /** Whether the object has a field of its own that the enriched record adds. */
  get hasEnrichedFields(): boolean {
    return this.#enriched.some((field) => this.#kinds[field] !== MISSING)
  }

  #judge(recordTimestampMs: number): ErrorCode | null {
    const { starts, ends } = this
    const userId = this.#userId
    if (this.#kinds[userId] !== STRING || starts[userId] === ends[userId]) {
      return this.#invalid('USER_ID_INVALID', 'user_id is missing, empty or not a string.')
    }
    const eventTimeMs = millisecondsOf(this.#seconds)
    if (!Number.isFinite(this.#seconds)) {
      return this.#invalid('TIMESTAMP_INVALID', 'timestamp is missing or not a number of seconds.')
    }
    if (eventTimeMs < EARLIEST_EVENT_TIME_MS) {
      return this.#invalid('TIMESTAMP_OUT_OF_RANGE', 'timestamp is before 2000-01-01.')
    }
    if (eventTimeMs > Math.min(recordTimestampMs + this.#maxClockSkewMs, LATEST_DATE_MS)) {
      return this.#invalid(
        'TIMESTAMP_OUT_OF_RANGE',
        'timestamp is later than the record by more than the skew.',
      )
    }
    this.eventTimeMs = eventTimeMs
    return this.#judgeFields()
  }

  #judgeFields(): ErrorCode | null {
    const { fields, starts, ends } = this
    for (let field = 0; field < fields.length; field++) {
      const kind = this.#kinds[field]
      const start = starts[field] ?? 0
      const length = (ends[field] ?? 0) - start
      if (kind === STRING) {
        if (length > MAX_FIELD_BYTES) {
          return this.#invalid('FIELD_INVALID', `${fields[field]} is longer than ${MAX_FIELD_BYTES} bytes.`)
        }
        // The word itself and the absence of a value are one row, so they must be one range.
        if (length === unknownBytes.length && sameBytes(this.bytes, start, unknownBytes)) ends[field] = start
      } else if (kind === MISSING || kind === NULL) {
        starts[field] = 0
        ends[field] = 0
      } else {
        return this.#invalid('FIELD_INVALID', `${fields[field]} is not a string.`)
      }
    }
    return null
  }

  #invalid(code: ErrorCode, problem: string): ErrorCode {
    this.problem = problem
    return code
  }

  #scannedSeconds(): number {
    const kind = this.#kinds[this.#timestamp]
    if (kind !== STRING && kind !== NUMBER) return Number.NaN
    const start = this.starts[this.#timestamp] ?? 0
    const end = this.ends[this.#timestamp] ?? 0
    const digits = decimalDigitsAt(this.bytes, start, end)
    if (digits >= 0) return digits
    const text = this.bytes.toString('latin1', start, end)
    return secondsOf(kind === STRING ? text : Number(text))
  }

  /** The way of JSON.parse: fills the slots, or returns what is wrong. */
  #parseSlowly(bytes: Buffer, start: number, end: number): ErrorCode | null {
    this.slowParses++
    let object: unknown
    try {
      object = JSON.parse(utf8.decode(bytes.subarray(start, end)))
    } catch {
      // The parser's own message is not passed on: it quotes the record.
      return this.#invalid('NOT_JSON', 'The value is not JSON in UTF-8.')
    }
    if (object === null || typeof object !== 'object' || Array.isArray(object)) {
      return this.#invalid('NOT_JSON', 'The value is JSON, but not an object.')
    }
    this.bytes = this.#scratch
    this.#kinds = this.#slowKinds
    for (const [field, name] of this.#names.entries()) {
      this.#fillSlowly(field, Object.hasOwn(object, name) ? Reflect.get(object, name) : undefined)
    }
    return null
  }

  #fillSlowly(field: number, value: unknown): void {
    const start = field * MAX_FIELD_BYTES
    let length = 0
    if (typeof value === 'string') {
      length = Buffer.byteLength(value)
      if (field < this.fields.length && length <= MAX_FIELD_BYTES) this.#scratch.write(value, start)
    }
    this.#kinds[field] = kindOf(value)
    this.starts[field] = start
    this.ends[field] = start + length
    if (field === this.#timestamp) this.#seconds = secondsOf(value)
  }
}

function kindOf(value: unknown): number {
  if (value === undefined) return MISSING
  if (value === null) return NULL
  if (typeof value === 'string') return STRING
  return typeof value === 'number' ? NUMBER : OTHER
}

/** To the nearest microsecond, which undoes the error of a binary fraction, then down to the millisecond. */
function millisecondsOf(seconds: number): number {
  return Number.isInteger(seconds) ? seconds * 1e3 : Math.floor(Math.round(seconds * 1e6) / 1e3)
}

/** Seconds of a timestamp as JSON.parse gives it; NaN if it is none. */
function secondsOf(value: unknown): number {
  if (typeof value === 'number') return value
  return typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
}
