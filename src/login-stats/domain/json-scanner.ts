/**
 * The pieces of a JSON scanner over bytes. Each takes the position where its piece must start and returns the position
 * after it, or -1 where the bytes are not that piece in its plain form. Reading past the end of a buffer gives undefined,
 * which is no byte of any piece.
 */

/** After any blanks of JSON. */
export function skipBlanks(bytes: Buffer, start: number): number {
  let at = start
  for (;;) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at
    at++
  }
}

/**
 * The position of the closing quote of a string whose content starts at `start`; -1 if it does not close before `end`, or
 * has anything but ASCII without escapes. `view` shows the same memory as `bytes`.
 */
export function plainStringEnd(bytes: Buffer, view: DataView, start: number, end: number): number {
  let at = start
  // Four bytes at once, read beyond `end` if need be. In `stops` the high bit is set of each byte that is not ASCII or is below
  // a blank, a quote or a backslash. A borrow can set it in a byte above such a one too, so only the lowest is looked at.
  const limit = Math.min(end + 3, bytes.length)
  for (; at + 4 <= limit; at += 4) {
    const word = view.getInt32(at, true)
    const quotes = ((word ^ 0x22222222) - 0x01010101) | 0
    const backslashes = ((word ^ 0x5c5c5c5c) - 0x01010101) | 0
    const stops = (word | ((word - 0x20202020) | 0) | quotes | backslashes) & HIGH_BITS
    if (stops === 0) continue
    at += (31 - Math.clz32(stops & -stops)) >> 3
    return at < end && bytes[at] === 0x22 /* " */ ? at : -1
  }
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0
    if (byte === 0x22 /* " */) return at
    if (byte < 0x20 || byte > 0x7f || byte === 0x5c /* \ */) return -1
  }
  return -1
}

const HIGH_BITS = 0x80808080 | 0

/** After a JSON number. */
export function numberEnd(bytes: Buffer, start: number): number {
  let at = bytes[start] === 0x2d /* - */ ? start + 1 : start
  const whole = digitsEnd(bytes, at)
  if (whole === at || (bytes[at] === 0x30 /* 0 */ && whole > at + 1)) return -1
  at = whole
  if (bytes[at] === 0x2e /* . */) {
    const fraction = digitsEnd(bytes, at + 1)
    if (fraction === at + 1) return -1
    at = fraction
  }
  if (bytes[at] === 0x65 /* e */ || bytes[at] === 0x45 /* E */) {
    const sign = bytes[at + 1]
    const digits = sign === 0x2b /* + */ || sign === 0x2d /* - */ ? at + 2 : at + 1
    at = digitsEnd(bytes, digits)
    if (at === digits) return -1
  }
  return at
}

function digitsEnd(bytes: Buffer, start: number): number {
  let at = start
  for (;;) {
    const byte = bytes[at] ?? 0
    if (byte < 0x30 || byte > 0x39) return at
    at++
  }
}

const literals = ['null', 'true', 'false'].map((text) => Buffer.from(text))

/** After `null`, `true` or `false`. */
export function literalEnd(bytes: Buffer, start: number): number {
  for (const literal of literals) if (sameBytes(bytes, start, literal)) return start + literal.length
  return -1
}

/** The number that 1 to 15 decimal digits write (exact in a double), or -1 for anything else. */
export function decimalDigitsAt(bytes: Buffer, start: number, end: number): number {
  if (end - start < 1 || end - start > 15) return -1
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

/** Whether `expected` stands at `start`. */
export function sameBytes(bytes: Buffer, start: number, expected: Buffer): boolean {
  for (let index = 0; index < expected.length; index++) {
    if (bytes[start + index] !== expected[index]) return false
  }
  return true
}

/**
 * Walks the members of an object that is known to be valid JSON, in whatever form. `each` gets the member's name and where
 * the member stands, from the opening quote of its name to the end of its value, and where the value begins.
 */
export function eachMember(
  bytes: Buffer,
  start: number,
  each: (name: string, memberStart: number, memberEnd: number, valueStart: number) => void,
): void {
  let at = skipBlanks(bytes, skipBlanks(bytes, start) + 1)
  while (bytes[at] === 0x22 /* " */) {
    const memberStart = at
    const nameEnd = stringEnd(bytes, at)
    const name = stringAt(bytes, memberStart, nameEnd)
    const valueStart = skipBlanks(bytes, skipBlanks(bytes, nameEnd) + 1)
    at = valueEnd(bytes, valueStart)
    each(name, memberStart, at, valueStart)
    at = skipBlanks(bytes, at)
    // Behind the object may stand a quote too: the bytes are those of a whole batch.
    if (bytes[at] !== 0x2c /* , */) return
    at = skipBlanks(bytes, at + 1)
  }
}

/** The text of the valid string `bytes[start, end)`, quotes included. Most have no escapes, and need no parser. */
export function stringAt(bytes: Buffer, start: number, end: number): string {
  for (let at = start; at < end; at++)
    if (bytes[at] === 0x5c /* \ */) return String(JSON.parse(bytes.toString('utf8', start, end)))
  return bytes.toString('utf8', start + 1, end - 1)
}

/** After the closing quote of a valid string that opens at `start`. */
function stringEnd(bytes: Buffer, start: number): number {
  let at = start + 1
  while (at < bytes.length && bytes[at] !== 0x22 /* " */) at += bytes[at] === 0x5c /* \ */ ? 2 : 1
  return at + 1
}

/** After a valid value. Keeps a count of open brackets instead of recursing: nesting may be deep. */
function valueEnd(bytes: Buffer, start: number): number {
  let depth = 0
  let at = start
  do {
    const byte = bytes[at] ?? 0
    if (byte === 0x22 /* " */) {
      at = stringEnd(bytes, at)
    } else if (byte === 0x7b /* { */ || byte === 0x5b /* [ */) {
      depth++
      at++
    } else if (byte === 0x7d /* } */ || byte === 0x5d /* ] */) {
      depth--
      at++
    } else {
      at++
      if (depth === 0) while (isScalarByte(bytes[at])) at++
    }
  } while (depth > 0 && at < bytes.length)
  return at
}

/** Whether a byte can go on a number or a literal. */
function isScalarByte(byte: number | undefined): boolean {
  return byte !== undefined && byte > 0x20 && byte !== 0x2c /* , */ && byte !== 0x7d && byte !== 0x5d
}
