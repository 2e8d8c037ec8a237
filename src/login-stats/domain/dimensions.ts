/**
 * What is counted, and how a row of the table is named.
 *
 * A dimension is one JSON field, or several joined by `+`. Table keys:
 *
 *     total                            every login
 *     locale:RU                        a dimension, a colon, the value
 *     locale+device_type:RU+android    a combined dimension, the values in its order
 *
 * `%`, `:` and `+` inside a field name or a value are percent-encoded (`%25`, `%3A`, `%2B`); all else stays as it is,
 * in UTF-8. So a key has exactly one reading. A field name with a comma is written `%2C` in the setting.
 */
import { CodedError } from '../../errors.ts'

export interface Dimension {
  /** As in the table key: the field names, encoded, joined by `+`. */
  readonly name: string
  /** The JSON fields whose values make the key, in order. */
  readonly fields: readonly string[]
}

/** The key of the row that counts every login; its dimension and value are both `total`. */
export const TOTAL_KEY = 'total'

/** The value that a missing, null or empty field counts as. */
export const UNKNOWN_VALUE = 'unknown'

/** More would make a row for almost every login. */
const MAX_DIMENSIONS = 32
const MAX_FIELDS = 8

const percent = 0x25
const colon = 0x3a
const plus = 0x2b
const ESCAPED: Readonly<Record<string, string>> = { '%': '%25', ':': '%3A', '+': '%2B' }

/** Encodes one field name or value for a key. */
export function encodeKeyPart(text: string): string {
  return text.replace(/[%:+]/g, (character) => ESCAPED[character] ?? character)
}

/**
 * Whether a byte of a UTF-8 value may stand otherwise in a key. True of all bytes beyond ASCII too: what is no UTF-8 is replaced there.
 */
export function isEncodedInKey(byte: number): boolean {
  return byte >= 0x80 || byte === percent || byte === colon || byte === plus
}

/** The inverse of `encodeKeyPart`. */
export function decodeKeyPart(text: string): string {
  return text.replace(/%(25|3A|2B|2C)/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/**
 * Reads the setting, e.g. `locale,device_type,locale+device_type`. Empty: no dimension, only the total.
 * Throws CONFIG_INVALID; `details.detail` says what is wrong.
 */
export function parseDimensions(text: string): readonly Dimension[] {
  if (text.trim() === '') return []
  const dimensions = text.split(',').map(parseDimension)
  const names = new Set(dimensions.map(({ name }) => name))
  if (names.size < dimensions.length) throw invalid(`${text} names a dimension twice.`)
  if (names.has(TOTAL_KEY)) throw invalid(`"${TOTAL_KEY}" is the row of all logins, not a dimension.`)
  if (dimensions.length > MAX_DIMENSIONS) throw invalid(`More than ${MAX_DIMENSIONS} dimensions.`)
  return dimensions
}

function parseDimension(text: string): Dimension {
  const parts = text.split('+').map((part) => part.trim())
  for (const part of parts) {
    if (part === '') throw invalid(`"${text.trim()}" has an empty field name.`)
    if (/%(?!25|3A|2B|2C)/i.test(part)) {
      throw invalid(`"${part}": write a percent sign in a field name as %25.`)
    }
  }
  const fields = parts.map(decodeKeyPart)
  if (new Set(fields).size < fields.length) throw invalid(`"${text.trim()}" names a field twice.`)
  if (fields.length > MAX_FIELDS) throw invalid(`"${text.trim()}" joins more than ${MAX_FIELDS} fields.`)
  return { name: fields.map(encodeKeyPart).join('+'), fields }
}

function invalid(detail: string): CodedError {
  return new CodedError('CONFIG_INVALID', { operation: 'DIMENSIONS', detail })
}

/** The distinct fields that the dimensions read, in order of first mention. */
export function countedFields(dimensions: readonly Dimension[]): readonly string[] {
  return [...new Set(dimensions.flatMap(({ fields }) => fields))]
}

/** The key of the row for these values, one per field of the dimension. */
export function tableKey(dimension: Dimension, values: readonly string[]): string {
  return `${dimension.name}:${values.map(encodeKeyPart).join('+')}`
}

/** Between which bounds the keys of a dimension lie, bytewise: `gte <= key < lt`. */
export function keyRange(dimensionName: string): { gte: Buffer; lt: Buffer } {
  // A semicolon follows the colon in ASCII.
  return { gte: Buffer.from(`${dimensionName}:`), lt: Buffer.from(`${dimensionName};`) }
}

/** The dimensions that rows have been found of, without the total: those that are counted in their order, then those of before. */
export function inCountedOrder(found: Iterable<string>, counted: readonly Dimension[]): string[] {
  const names = new Set(found)
  names.delete(TOTAL_KEY)
  const known = counted.flatMap(({ name }) => (names.delete(name) ? [name] : []))
  return [...known, ...names]
}

/** A key taken apart: its field names and their values; both empty for the total. */
export function parseKey(key: string): { fields: string[]; values: string[] } {
  const colon = key.indexOf(':')
  if (colon < 0) return { fields: [], values: [] }
  return {
    fields: key.slice(0, colon).split('+').map(decodeKeyPart),
    values: key
      .slice(colon + 1)
      .split('+')
      .map(decodeKeyPart),
  }
}

/**
 * What the row of this key shows: the dimension's name as in the setting, and the value as text for people: decoded,
 * the values of a combined dimension joined by `+` (who needs them apart takes them from the key).
 */
export function dimensionOf(key: string): { dimension: string; value: string } {
  const dimension = dimensionNameOf(key)
  if (dimension === key) return { dimension, value: key }
  return { dimension, value: decodeKeyPart(key.slice(dimension.length + 1)) }
}

/** The part of a key before the colon; keys without one, such as `total`, are their own dimension. */
export function dimensionNameOf(key: string): string {
  const colon = key.indexOf(':')
  return colon < 0 ? key : key.slice(0, colon)
}
