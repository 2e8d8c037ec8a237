/**
 * The record in the dead-letter topic for one that could not be read: its own key, value and headers, and after them
 *
 *     error             the stable code, e.g. TIMESTAMP_INVALID
 *     error.message     one sentence that shows nothing of the content
 *     source.topic, source.partition, source.offset, source.timestamp
 *
 * A record that would be too large is cut. What is cut, in this order and no more than needed: the value from its end (full
 * size in bytes in `error.truncated`), the record's own headers from the last (how many in `error.truncated.headers`), the
 * key from its end (full size in `error.truncated.key`). `error.truncated` stands there whenever anything was cut.
 */
import type { ErrorCode } from '../../errors.ts'
import type { Header } from '../../ports/kafka.ts'

export interface InvalidRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The record's own timestamp, in ms. */
  readonly timestamp: number
}

export interface DeadLetter {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** What the headers of a dead letter say. */
export interface LetterOrigin {
  readonly code: string
  readonly message: string
  /** Where the record stood, and its own timestamp in ms. */
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  /** The headers that the record itself had; some may be missing where it is cut. */
  readonly ownHeaders: readonly Header[]
  /** Size of the whole value in bytes where anything was cut, else null: then key, value and own headers are those of the record. */
  readonly truncated: number | null
}

/** In the order in which they stand behind the record's own. */
const ADDED_NAMES = [
  'error',
  'error.message',
  'source.topic',
  'source.partition',
  'source.offset',
  'source.timestamp',
] as const

/** What a record and its batch take beyond key, value and headers, at the most. */
const RECORD_OVERHEAD_BYTES = 128
/** Two length varints of a header. */
const HEADER_OVERHEAD_BYTES = 10
/** Room for the three headers that speak of a cut. */
const CUT_HEADERS_BYTES = 160

/** `maxRecordBytes`: the largest uncompressed record that the dead-letter topic takes, batch header included. */
export function deadLetter(
  record: InvalidRecord,
  error: { readonly code: ErrorCode; readonly message: string },
  maxRecordBytes: number,
): DeadLetter {
  const added = [
    header('error', error.code),
    header('error.message', error.message),
    header('source.topic', record.topic),
    header('source.partition', record.partition),
    header('source.offset', record.offset),
    header('source.timestamp', record.timestamp),
  ]
  const room = maxRecordBytes - RECORD_OVERHEAD_BYTES - sizeOf(added)
  const keySize = record.key?.length ?? 0
  const valueSize = record.value?.length ?? 0
  if (keySize + valueSize + sizeOf(record.headers) <= room) {
    return { key: record.key, value: record.value, headers: [...record.headers, ...added] }
  }
  return cut(record, added, Math.max(0, room - CUT_HEADERS_BYTES))
}

function cut(record: InvalidRecord, added: readonly Header[], room: number): DeadLetter {
  const keySize = record.key?.length ?? 0
  const own = [...record.headers]
  while (own.length > 0 && keySize + sizeOf(own) > room) own.pop()
  const key = record.key?.subarray(0, room) ?? null
  const valueRoom = Math.max(0, room - (key?.length ?? 0) - sizeOf(own))
  const headers = [...own, ...added, header('error.truncated', record.value?.length ?? 0)]
  const droppedHeaders = record.headers.length - own.length
  if (droppedHeaders > 0) headers.push(header('error.truncated.headers', droppedHeaders))
  if (keySize > room) headers.push(header('error.truncated.key', keySize))
  return { key, value: record.value?.subarray(0, valueRoom) ?? null, headers }
}

/**
 * Takes the headers of a dead letter apart again. Whatever names the record's own headers have: ours are the last ones. Null where
 * the record in the dead-letter topic was not made by `deadLetter`.
 */
export function originOf(headers: readonly Header[]): LetterOrigin | null {
  const rest = [...headers]
  const cutKey = takeLast(rest, 'error.truncated.key')
  const cutHeaders = takeLast(rest, 'error.truncated.headers')
  const cutValue = takeLast(rest, 'error.truncated')
  if (cutValue === null && (cutKey !== null || cutHeaders !== null)) return null
  const added = rest.splice(-ADDED_NAMES.length)
  if (!ADDED_NAMES.every((name, index) => added[index]?.[0] === name)) return null
  const [code = '', message = '', topic = '', ...numbers] = added.map(([, value]) => value?.toString() ?? '')
  const [partition, offset, timestamp] = numbers.map(wholeNumber)
  const truncated = cutValue === null ? null : wholeNumber(cutValue)
  if (partition === undefined || offset === undefined || timestamp === undefined) return null
  if (truncated === undefined || partition < 0 || offset < 0) return null
  return { code, message, topic, partition, offset, timestamp, ownHeaders: rest, truncated }
}

/** The value of the last header if it has this name; it is taken away. */
function takeLast(headers: Header[], name: string): string | null {
  if (headers.at(-1)?.[0] !== name) return null
  return headers.pop()?.[1]?.toString() ?? ''
}

function wholeNumber(text: string): number | undefined {
  const number = Number(text)
  return /^-?\d+$/.test(text) && Number.isSafeInteger(number) ? number : undefined
}

function header(name: string, value: string | number): Header {
  return [name, Buffer.from(String(value))]
}

function sizeOf(headers: readonly Header[]): number {
  let size = 0
  for (const [name, value] of headers) {
    size += Buffer.byteLength(name) + (value?.length ?? 0) + HEADER_OVERHEAD_BYTES
  }
  return size
}
