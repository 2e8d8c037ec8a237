/** The row of the table for one key, as JSON (CONTRACT, "Table row"). */
import { dimensionOf } from './dimensions.ts'
import { IsoTime } from './iso-time.ts'
import type { LoginCounter } from './login-counter.ts'

export interface TableRow {
  readonly dimension: string
  readonly value: string
  readonly count: number
  /** By the name of the window. */
  readonly rolling: Readonly<Record<string, number>>
  /** ISO 8601 in UTC with milliseconds, as the other two. */
  readonly first_seen: string
  readonly last_seen: string
  readonly as_of: string
}

const isoTime = new IsoTime()
/** Of the row before: rows of one dimension follow one another. */
let lastDimension = { name: '', text: '""' }

/** The row's bytes at stream time `asOfMs`; the counter must have counted something. */
export function encodeRow(key: string, counter: LoginCounter, asOfMs: number): Buffer {
  const { dimension, value } = dimensionOf(key)
  if (dimension !== lastDimension.name) lastDimension = { name: dimension, text: JSON.stringify(dimension) }
  const sums = counter.rolling(asOfMs)
  let rolling = ''
  for (const [index, { name }] of counter.windows.list.entries()) {
    rolling += `${index === 0 ? '' : ','}"${name}":${sums[index]}`
  }
  return Buffer.from(
    `{"dimension":${lastDimension.text},"value":${JSON.stringify(value)},"count":${counter.count},` +
      `"rolling":{${rolling}},"first_seen":"${isoTime.of(counter.firstSeen)}",` +
      `"last_seen":"${isoTime.of(counter.lastSeen)}","as_of":"${isoTime.of(asOfMs)}"}`,
  )
}

/** Reads a row; null if the bytes are not one. */
export function parseRow(bytes: Buffer): TableRow | null {
  let row: unknown
  try {
    row = JSON.parse(bytes.toString('utf8'))
  } catch {
    return null
  }
  return isRow(row) ? row : null
}

function isRow(row: unknown): row is TableRow {
  if (row === null || typeof row !== 'object') return false
  const { dimension, value, count, rolling, first_seen, last_seen, as_of } = row as Partial<TableRow>
  return (
    [dimension, value, first_seen, last_seen, as_of].every((text) => typeof text === 'string') &&
    typeof count === 'number' &&
    rolling !== null &&
    typeof rolling === 'object' &&
    Object.values(rolling).every((sum) => typeof sum === 'number')
  )
}
