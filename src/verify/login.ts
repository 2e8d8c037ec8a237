/** What a login is and what it counts for, by the plain rules of the contract ("Input record", "Table row"). */
import { isUtf8 } from 'node:buffer'
import type { KafkaRecord } from './record-batch.ts'

export interface Dimension {
  /** As in the table key, e.g. `locale+device_type`. */
  readonly name: string
  /** The JSON fields. */
  readonly fields: readonly string[]
}

export interface Rules {
  readonly dimensions: readonly Dimension[]
  readonly maxClockSkewMs: number
}

/** One row that a login counts for. */
export interface Row {
  readonly key: string
  readonly dimension: string
  readonly value: string
}

export interface Login {
  /** Milliseconds since the epoch. */
  readonly eventTime: number
  readonly rows: readonly Row[]
}

const earliest = Date.parse('2000-01-01T00:00:00Z')
const longestFieldBytes = 256

/** The login in a record, or null where the record is not a valid one. */
export function readLogin(record: Pick<KafkaRecord, 'value' | 'timestamp'>, rules: Rules): Login | null {
  const fieldOf = readObject(record.value)
  if (fieldOf === null) return null
  const userId = fieldOf('user_id')
  if (typeof userId !== 'string' || userId === '') return null
  const seconds = readSeconds(fieldOf('timestamp'))
  // The nearest microsecond, cut to milliseconds: 1.001 s is 1001 ms, although the binary fraction is below.
  const eventTime = Math.floor(Math.round(seconds * 1_000_000) / 1000)
  // Not a number fails both comparisons.
  if (!(eventTime >= earliest && eventTime <= record.timestamp + rules.maxClockSkewMs)) return null
  const rows: Row[] = [{ key: 'total', dimension: 'total', value: 'total' }]
  for (const { name, fields } of rules.dimensions) {
    const values = fields.map((field) => readField(fieldOf(field)))
    if (values.includes(null)) return null
    const key = `${name}:${values.map((value) => encode(value ?? '')).join('+')}`
    rows.push({ key, dimension: name, value: values.join('+') })
  }
  return { eventTime, rows }
}

/** The fields of the object, its own only: `constructor` is no field of one that has none. */
function readObject(value: Buffer | null): ((field: string) => unknown) | null {
  if (value === null || !isUtf8(value)) return null
  try {
    const parsed: unknown = JSON.parse(value.toString())
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return null
    const fields = parsed as Readonly<Record<string, unknown>>
    return (field) => (Object.hasOwn(fields, field) ? fields[field] : undefined)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** Unix seconds as a number, or as decimal digits with an optional fraction; else not a number. */
function readSeconds(timestamp: unknown): number {
  if (typeof timestamp === 'number') return timestamp
  return typeof timestamp === 'string' && /^[0-9]+(\.[0-9]+)?$/.test(timestamp)
    ? Number(timestamp)
    : Number.NaN
}

/** The value that a field counts as, or null where it makes the record invalid. */
function readField(field: unknown): string | null {
  if (field === undefined || field === null || field === '') return 'unknown'
  if (typeof field !== 'string' || Buffer.byteLength(field) > longestFieldBytes) return null
  // What UTF-8 cannot say (half a surrogate pair) becomes U+FFFD in a key.
  return field.toWellFormed()
}

function encode(value: string): string {
  return value.replaceAll('%', '%25').replaceAll(':', '%3A').replaceAll('+', '%2B')
}
