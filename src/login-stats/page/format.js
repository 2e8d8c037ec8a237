// @ts-check
/**
 * Numbers, times and names as the page shows them. Numbers are written as in English whatever the browser's language, since the page says that
 * it is English: a screen reader would take "1.234" for a fraction.
 */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const oneDecimal = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })
const dayAndTime = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
const dayOfYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const timeOfDay = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })

export const nothing = '–'

/** @param {number | null | undefined} value */
export function count(value) {
  return value === null || value === undefined ? nothing : whole.format(value)
}

/**
 * A rate: small ones with a decimal.
 * @param {number | null | undefined} value
 */
export function rate(value) {
  if (value === null || value === undefined) return nothing
  if (value > 0 && value < 0.1) return '<0.1'
  return value > 0 && value < 9.95 ? oneDecimal.format(value) : whole.format(value)
}

/**
 * For the ticks of an axis, where there is little room.
 * @param {number} value
 */
export function short(value) {
  return compact.format(value)
}

/**
 * @param {number} part
 * @param {number | null} all null where it is not known
 */
export function share(part, all) {
  if (all === null || all <= 0) return nothing
  const percent = (100 * part) / all
  if (percent > 0 && percent < 0.1) return '<0.1%'
  // Only all of it is 100%.
  if (percent > 99.9 && percent < 100) return '>99.9%'
  return `${oneDecimal.format(percent)}%`
}

/**
 * How long something takes or is ago, as coarse as one wants to know it.
 * @param {number} ms
 */
export function duration(ms) {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return '<1 s'
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return `${minutes} min ${seconds % 60} s`
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours} h ${minutes % 60} min`
  const days = Math.floor(hours / 24)
  return days === 1 ? '1 day' : `${whole.format(days)} days`
}

/**
 * "1 row", "2 rows".
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function counted(number, one, many = `${one}s`) {
  return `${whole.format(number)} ${number === 1 ? one : many}`
}

/**
 * @param {string | number} time ISO 8601, or milliseconds since the Unix epoch
 * @param {number} now
 * @returns {string} day and time where the reader is; the year only where it is not this one, the day only where it is not today
 */
export function moment(time, now) {
  const [date, today] = [new Date(time), new Date(now)]
  if (Number.isNaN(date.getTime())) return nothing
  if (date.toDateString() === today.toDateString()) return timeOfDay.format(date)
  if (date.getFullYear() !== today.getFullYear()) return dayAndTime.format(date)
  return `${dayOfYear.format(date)}, ${timeOfDay.format(date)}`
}

/** @param {number} ms since the Unix epoch */
export function clockTime(ms) {
  return timeOfDay.format(new Date(ms))
}

/**
 * The name of a dimension as a title: `device_type` is "Device type", `locale+device_type` is "Locale + device type".
 * @param {string} dimension
 */
export function dimensionTitle(dimension) {
  const words = parts(dimension)
    .map((field) => readable(field).replaceAll('_', ' '))
    .join(' + ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/**
 * The value of a row. The values of a combined dimension are taken from the key, where a plus in one of them is told from one between them.
 * @param {{ key: string, dimension: string, value: string }} row
 */
export function rowValue({ key, dimension, value }) {
  if (!dimension.includes('+')) return readable(value)
  return parts(key.slice(dimension.length + 1))
    .map(readable)
    .join(' + ')
}

/** @param {string} joined @returns {string[]} */
function parts(joined) {
  return joined
    .split('+')
    .map((part) =>
      part.replaceAll(/%(25|3A|2B|2C)/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    )
}

/**
 * What anybody may have written into a login, so that one can see it: control characters as their pictures, those that change the direction
 * of the text or cannot be seen by their number, and quotes around what would be blank at an end.
 * @param {string} text
 */
export function readable(text) {
  const shown = text.replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, picture)
  return /^\s|\s$|^$/.test(shown) ? `“${shown}”` : shown
}

/**
 * The code of a dead letter.
 * @param {string} code
 */
export function reason(code) {
  if (code === 'none') return 'No code'
  return code === 'other' ? 'Other codes' : readable(code)
}

/**
 * The name of an instance where there is little room: its ends, as it may differ from others in either.
 * @param {string} name
 */
export function shortName(name) {
  const characters = [...readable(name)]
  if (characters.length <= 16) return characters.join('')
  return `${characters.slice(0, 7).join('')}…${characters.slice(-5).join('')}`
}

/** @param {string} character */
function picture(character) {
  const code = character.codePointAt(0) ?? 0
  return code < 0x20
    ? String.fromCharCode(0x2400 + code)
    : `[U+${code.toString(16).toUpperCase().padStart(4, '0')}]`
}
