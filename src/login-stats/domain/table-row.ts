/** The row of the table for one key, as JSON (CONTRACT, "Table row"). */
import { ByteWriter } from '../../bytes/varint.ts'
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

const colon = 0x3a
const quote = 0x22
const backslash = 0x5c
const percent = 0x25

/** One for each: the seconds of one after the other are mostly the same. */
const isoTime = { firstSeen: new IsoTime(), lastSeen: new IsoTime(), asOf: new IsoTime() }
const writer = new ByteWriter()
/** Of the row before: rows of one dimension follow one another. */
let lastDimension = { key: Buffer.alloc(0), json: Buffer.from('""') }

/** What stands between the values of a row, in ASCII. */
const text = {
  dimension: Buffer.from('{"dimension":'),
  value: Buffer.from(',"value":"'),
  count: Buffer.from('","count":'),
  rolling: Buffer.from(',"rolling":{'),
  firstSeen: Buffer.from('},"first_seen":"'),
  lastSeen: Buffer.from('","last_seen":"'),
  asOf: Buffer.from('","as_of":"'),
  end: Buffer.from('"}'),
}

/** The row's bytes at stream time `asOfMs`; the counter must have counted something. */
export function encodeRow(key: Buffer, counter: LoginCounter, asOfMs: number): Buffer {
  writer.reset()
  const nameEnd = key.indexOf(colon)
  const valueStart = nameEnd + 1
  writer.writeRaw(text.dimension)
  writer.writeRaw(dimensionJson(nameEnd < 0 ? key : key.subarray(0, nameEnd)))
  writer.writeRaw(text.value)
  if (isPlain(key, valueStart)) writer.writeRaw(key, valueStart)
  else writer.writeUtf8(JSON.stringify(dimensionOf(key.toString()).value).slice(1, -1))
  writer.writeRaw(text.count)
  writer.writeUtf8(String(counter.count))
  writer.writeRaw(text.rolling)
  if (counter.windows.list.length > 0) writer.writeUtf8(rollingCounts(counter, asOfMs))
  writer.writeRaw(text.firstSeen)
  writer.writeRaw(isoTime.firstSeen.bytesOf(counter.firstSeen))
  writer.writeRaw(text.lastSeen)
  writer.writeRaw(isoTime.lastSeen.bytesOf(counter.lastSeen))
  writer.writeRaw(text.asOf)
  writer.writeRaw(isoTime.asOf.bytesOf(asOfMs))
  writer.writeRaw(text.end)
  return writer.toBuffer()
}

function rollingCounts(counter: LoginCounter, asOfMs: number): string {
  const sums = counter.rolling(asOfMs)
  let json = ''
  for (const [index, { name }] of counter.windows.list.entries()) {
    json += `${index === 0 ? '' : ','}"${name}":${sums[index]}`
  }
  return json
}

function dimensionJson(name: Buffer): Buffer {
  if (!name.equals(lastDimension.key)) {
    lastDimension = { key: Buffer.from(name), json: Buffer.from(JSON.stringify(name.toString())) }
  }
  return lastDimension.json
}

/** Whether the bytes stand in a key as they do in JSON. */
function isPlain(key: Buffer, start: number): boolean {
  for (let at = start; at < key.length; at++) {
    const byte = key[at] ?? 0
    if (byte < 0x20 || byte > 0x7e || byte === quote || byte === backslash || byte === percent) return false
  }
  return true
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
    isCount(count) &&
    rolling !== null &&
    typeof rolling === 'object' &&
    !Array.isArray(rolling) &&
    Object.values(rolling).every(isCount)
  )
}

function isCount(number: unknown): boolean {
  return Number.isSafeInteger(number) && Number(number) >= 0
}
