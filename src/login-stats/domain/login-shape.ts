/**
 * The shape of a login: everything that does not change from one login of a producer to the next.
 *
 *     {"user_id":"  ...  ","locale":"  ...  ","timestamp":  ...  }
 *
 * A shape is learnt from a record that has been proved to be JSON: its bytes between the string and number values, called
 * gaps, word for word. A record in which the same gaps stand around other plain strings and other numbers is JSON too, with
 * the same names and kinds in the same order.
 */
import { numberEnd, plainStringEnd } from './json-scanner.ts'

/** Where a string (without its quotes) or a number stands in the record that the shape is learnt from. */
export interface ScannedValue {
  /** The scanner's index of its name; below 0: none. */
  readonly index: number
  readonly isString: boolean
  readonly start: number
  readonly end: number
}

/** So many bytes are compared at once. */
const WORD = 4

export class LoginShape {
  /** By the scanner's index of a name: the same for every record of this shape. */
  readonly kinds: Uint8Array
  readonly #indexes: Int32Array
  readonly #isString: Uint8Array
  /** One gap before each value, and one after the last. */
  readonly #gapLengths: Int32Array
  /** The words of all gaps, one gap after the other; the last word of a gap may overlap the one before it. */
  readonly #words: Int32Array
  readonly #lastGap: Buffer

  constructor(bytes: Buffer, start: number, end: number, values: readonly ScannedValue[], kinds: Uint8Array) {
    this.kinds = Uint8Array.from(kinds)
    this.#indexes = Int32Array.from(values, ({ index }) => index)
    this.#isString = Uint8Array.from(values, ({ isString }) => (isString ? 1 : 0))
    const gaps = values.map((value, index) => bytes.subarray(values[index - 1]?.end ?? start, value.start))
    this.#gapLengths = Int32Array.from(gaps, (gap) => gap.length)
    this.#words = Int32Array.from(gaps.flatMap(wordsOf))
    this.#lastGap = Buffer.from(bytes.subarray(values.at(-1)?.end ?? start, end))
  }

  /** Whether `bytes[start, end)` has this shape; then the ranges of its values stand in `starts` and `ends`. */
  match(
    bytes: Buffer,
    view: DataView,
    start: number,
    end: number,
    starts: Int32Array,
    ends: Int32Array,
  ): boolean {
    const gapLengths = this.#gapLengths
    const words = this.#words
    let at = start
    let word = 0
    for (let gap = 0; gap < gapLengths.length; gap++) {
      const gapEnd = at + (gapLengths[gap] ?? 0)
      if (gapEnd > end) return false
      for (; at + WORD <= gapEnd; at += WORD) if (view.getInt32(at, true) !== words[word++]) return false
      if (at < gapEnd && view.getInt32(gapEnd - WORD, true) !== words[word++]) return false
      at = this.#isString[gap] === 1 ? plainStringEnd(bytes, view, gapEnd, end) : numberEnd(bytes, gapEnd)
      if (at < 0) return false
      const index = this.#indexes[gap] ?? -1
      if (index >= 0) {
        starts[index] = gapEnd
        ends[index] = at
      }
    }
    return end - at === this.#lastGap.length && endsWith(bytes, at, this.#lastGap)
  }
}

/** A gap is never shorter than a word: between two values stand at least a comma, two quotes and a colon. */
function wordsOf(gap: Buffer): number[] {
  const words: number[] = []
  let at = 0
  for (; at + WORD <= gap.length; at += WORD) words.push(gap.readInt32LE(at))
  if (at < gap.length) words.push(gap.readInt32LE(gap.length - WORD))
  return words
}

function endsWith(bytes: Buffer, start: number, gap: Buffer): boolean {
  for (let index = 0; index < gap.length; index++) if (bytes[start + index] !== gap[index]) return false
  return true
}
