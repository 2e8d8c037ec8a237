/**
 * Finds the values of some members in the bytes of a flat JSON object of plain ASCII, and proves on the way that the bytes
 * are such an object. It never refuses anything: where it gives up, JSON.parse must decide.
 *
 * A record that has the shape of one before it is not scanned, but compared (`login-shape.ts`).
 */
import { literalEnd, numberEnd, plainStringEnd, sameBytes, skipBlanks } from './json-scanner.ts'
import { LoginShape, type ScannedValue } from './login-shape.ts'

/** What stands at a member's name. */
export const MISSING = 0
export const NULL = 1
export const STRING = 2
export const NUMBER = 3
/** A boolean, an object or an array. */
export const OTHER = 4

const MAX_SHAPES = 4
/** Where the records have ever new shapes, only one in so many is learnt. */
const LEARN_EVERY = 32

const noBytes = Buffer.alloc(0)

export class FlatObjectScanner {
  /** By name: what kind of value it has. Of a name that stands twice the last one counts. */
  kinds: Uint8Array
  /** By name: where a string (without its quotes) or a number stands; else without meaning. */
  readonly starts: Int32Array
  readonly ends: Int32Array

  readonly #nameBytes: readonly Buffer[]
  readonly #indexesByLength: (readonly number[] | undefined)[] = []
  readonly #scannedKinds: Uint8Array
  /** The one that is tried first stands first. */
  readonly #shapes: LoginShape[] = []
  #lastShape: LoginShape | null = null
  #withoutShape = 0
  /** The values met in this scan, if its shape is to be learnt. */
  #learning: ScannedValue[] | null = null
  #view: DataView = new DataView(noBytes.buffer, 0, 0)
  #viewed: Buffer = noBytes

  constructor(names: readonly string[]) {
    this.#nameBytes = names.map((name) => Buffer.from(name))
    for (const [index, { length }] of this.#nameBytes.entries()) {
      this.#indexesByLength[length] = [...(this.#indexesByLength[length] ?? []), index]
    }
    this.#scannedKinds = new Uint8Array(names.length)
    this.kinds = this.#scannedKinds
    this.starts = new Int32Array(names.length)
    this.ends = new Int32Array(names.length)
  }

  /** True: `bytes[start, end)` is a JSON object, and the fields above speak of it. False: nothing is known. */
  scan(bytes: Buffer, start: number, end: number): boolean {
    if (bytes !== this.#viewed) {
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      this.#viewed = bytes
    }
    return this.#matchShape(bytes, start, end) || this.#scanAndLearn(bytes, start, end)
  }

  #matchShape(bytes: Buffer, start: number, end: number): boolean {
    const shapes = this.#shapes
    for (let index = 0; index < shapes.length; index++) {
      const shape = shapes[index]
      if (shape === undefined || !shape.match(bytes, this.#view, start, end, this.starts, this.ends)) continue
      this.kinds = shape.kinds
      if (index > 0 && shape === this.#lastShape) this.#putFirst(index)
      this.#lastShape = shape
      return true
    }
    return false
  }

  /** For a shape that comes twice in a row: one odd record changes nothing. */
  #putFirst(index: number): void {
    const [first, shape] = [this.#shapes[0], this.#shapes[index]]
    if (first === undefined || shape === undefined) return
    this.#shapes[index] = first
    this.#shapes[0] = shape
  }

  #scanAndLearn(bytes: Buffer, start: number, end: number): boolean {
    this.kinds = this.#scannedKinds
    this.kinds.fill(MISSING)
    this.#learning = this.#withoutShape++ % LEARN_EVERY === 0 ? [] : null
    const proved = this.#scanObject(bytes, start, end)
    if (proved && this.#learning !== null) {
      const last = Math.min(this.#shapes.length, MAX_SHAPES - 1)
      this.#shapes[last] = new LoginShape(bytes, start, end, this.#learning, this.kinds)
    }
    return proved
  }

  #scanObject(bytes: Buffer, start: number, end: number): boolean {
    let at = skipBlanks(bytes, start)
    if (bytes[at] !== 0x7b /* { */) return false
    at = skipBlanks(bytes, at + 1)
    // Reading past `end` is harmless: the position only grows, and must not be beyond it after the closing brace.
    for (;;) {
      if (bytes[at] !== 0x22 /* " */) return false
      const nameStart = at + 1
      at = plainStringEnd(bytes, this.#view, nameStart, end)
      if (at < 0) return false
      const index = this.#indexOf(bytes, nameStart, at)
      at = skipBlanks(bytes, at + 1)
      if (bytes[at] !== 0x3a /* : */) return false
      at = this.#scanValue(bytes, skipBlanks(bytes, at + 1), end, index)
      if (at < 0) return false
      at = skipBlanks(bytes, at)
      if (bytes[at] === 0x7d /* } */) return isBlank(bytes, at + 1, end)
      if (bytes[at] !== 0x2c /* , */) return false
      at = skipBlanks(bytes, at + 1)
    }
  }

  /** Reads one value; returns where it ends, or -1. */
  #scanValue(bytes: Buffer, start: number, end: number, index: number): number {
    const first = bytes[start] ?? 0
    if (first === 0x22 /* " */) {
      const close = plainStringEnd(bytes, this.#view, start + 1, end)
      if (close < 0) return close
      this.#found(index, STRING, start + 1, close)
      return close + 1
    }
    if (first === 0x2d /* - */ || (first >= 0x30 && first <= 0x39)) {
      const close = numberEnd(bytes, start)
      if (close >= 0) this.#found(index, NUMBER, start, close)
      return close
    }
    if (index >= 0) this.kinds[index] = first === 0x6e /* n */ ? NULL : OTHER
    return literalEnd(bytes, start)
  }

  #found(index: number, kind: number, start: number, end: number): void {
    this.#learning?.push({ index, isString: kind === STRING, start, end })
    if (index < 0) return
    this.kinds[index] = kind
    this.starts[index] = start
    this.ends[index] = end
  }

  /** Which of the names stands there, or -1. */
  #indexOf(bytes: Buffer, start: number, end: number): number {
    const candidates = this.#indexesByLength[end - start]
    if (candidates === undefined) return -1
    for (const index of candidates)
      if (sameBytes(bytes, start, this.#nameBytes[index] ?? noBytes)) return index
    return -1
  }
}

/** Whether `[start, end)` is a range of blanks alone. */
function isBlank(bytes: Buffer, start: number, end: number): boolean {
  return start === end || (start < end && skipBlanks(bytes, start) >= end)
}
