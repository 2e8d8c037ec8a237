/**
 * Folds parsed logins into one delta per table key, in memory, until a commit takes them.
 *
 * The way from a login to its delta makes no string and no object: the bytes of each counted value are hashed, and the
 * hash leads into an open-addressing table per dimension. Keys are made once, when a value is first met.
 *
 * Stream time here is what this fold has seen: the highest event time, each cut at the limit of that moment (the wall
 * clock and the allowed skew). The second stage must add a delta at a stream time no lower than this one: then a tick that is
 * dropped or coarsened here could not have counted there.
 */
import { fnv1a, spread } from '../../bytes/fnv1a.ts'
import {
  countedFields,
  type Dimension,
  encodeKeyPart,
  isEncodedInKey,
  TOTAL_KEY,
  UNKNOWN_VALUE,
} from './dimensions.ts'
import { LoginDelta } from './login-delta.ts'
import type { ParsedLogin } from './login-parser.ts'
import { TickGrid, type Windows } from './windows.ts'

/** Keys kept between commits, so that those met again need no new entry. */
const MAX_IDLE_KEYS = 65_536
const FIRST_CAPACITY = 256

const nothing = Buffer.alloc(0)
const plus = 0x2b

/** Keys are copied into chunks of so many bytes: with a buffer each, most of the memory would be buffers' heads. */
const CHUNK_BYTES = 64 * 1024

interface Entry {
  readonly key: Buffer
  readonly delta: LoginDelta
  readonly hash: number
  /** Where the values' bytes stand, with one byte of no meaning between each and the next. */
  readonly values: Buffer
  readonly valuesStart: number
  readonly valueEnds: readonly number[]
}

export class LoginFold {
  /** In ms; -Infinity before the first event. */
  streamTimeMs = Number.NEGATIVE_INFINITY
  /** Logins since the last drain. */
  loginCount = 0
  /** By window: logins since the last drain that were late for it. */
  readonly lateCounts: Float64Array
  readonly #tables: readonly ValueTable[]
  readonly #total: Entry
  readonly #grid: TickGrid
  readonly #hashes: Int32Array
  #limitMs = Number.POSITIVE_INFINITY
  #touched: Entry[] = []

  constructor({ dimensions, windows }: { dimensions: readonly Dimension[]; windows: Windows }) {
    const fields = countedFields(dimensions)
    this.#tables = dimensions.map(
      (dimension) =>
        new ValueTable(
          dimension.name,
          Int32Array.from(dimension.fields, (f) => fields.indexOf(f)),
        ),
    )
    this.#hashes = new Int32Array(fields.length)
    this.#total = newEntry(Buffer.from(TOTAL_KEY), 0, nothing, 0, [])
    this.#grid = new TickGrid(windows)
    this.lateCounts = new Float64Array(windows.list.length)
  }

  /** Keys that a drain would give. */
  get keyCount(): number {
    return this.#touched.length
  }

  /** Lets stream time go up to this, in ms: the wall clock and MAX_CLOCK_SKEW. Without a call there is no limit. */
  limitStreamTime(limitMs: number): void {
    this.#limitMs = limitMs
  }

  /** Counts a valid login in every dimension and in the total. */
  add(login: ParsedLogin): void {
    const { eventTimeMs } = login
    if (eventTimeMs > this.streamTimeMs) this.#advance(eventTimeMs)
    this.loginCount++
    const tick = this.#grid.tickOf(eventTimeMs)
    if (eventTimeMs < this.#grid.allFromMs) this.#grid.countLate(eventTimeMs, this.lateCounts)
    this.#count(this.#total, eventTimeMs, tick)
    const hashes = this.#hashes
    for (let field = 0; field < hashes.length; field++) {
      hashes[field] = fnv1a(login.bytes, login.starts[field] ?? 0, login.ends[field] ?? 0)
    }
    const tables = this.#tables
    for (let index = 0; index < tables.length; index++) {
      const table = tables[index]
      if (table !== undefined) this.#count(table.entryOf(login, hashes), eventTimeMs, tick)
    }
  }

  /**
   * Gives each key that was counted since the last drain with its delta, and starts over. The delta is the fold's own: encode or
   * copy it before returning. A key stays as it is.
   */
  drain(each: (key: Buffer, delta: LoginDelta) => void): void {
    for (const { key, delta } of this.#touched) {
      delta.coarsen(this.#grid)
      each(key, delta)
      delta.reset()
    }
    this.#clear()
  }

  /** Drops what was counted since the last drain; stream time stays. */
  discard(): void {
    for (const { delta } of this.#touched) delta.reset()
    this.#clear()
  }

  #clear(): void {
    this.#touched = []
    this.loginCount = 0
    this.lateCounts.fill(0)
    for (const table of this.#tables) if (table.size > MAX_IDLE_KEYS) table.clear()
  }

  #count(entry: Entry, eventTimeMs: number, tick: number): void {
    if (entry.delta.count === 0) this.#touched.push(entry)
    entry.delta.add(eventTimeMs, tick)
  }

  #advance(eventTimeMs: number): void {
    const streamTimeMs = Math.min(eventTimeMs, this.#limitMs)
    if (streamTimeMs <= this.streamTimeMs) return
    this.streamTimeMs = streamTimeMs
    this.#grid.moveTo(streamTimeMs)
  }
}

/** The entries of one dimension, found by the bytes of their values. */
class ValueTable {
  size = 0
  /** Of all keys. */
  readonly #prefix: Buffer
  /** Indexes into the counted fields. */
  readonly #fields: Int32Array
  #slots: (Entry | undefined)[] = new Array(FIRST_CAPACITY).fill(undefined)
  #chunk = nothing
  #used = 0

  constructor(name: string, fields: Int32Array) {
    this.#prefix = Buffer.from(`${name}:`)
    this.#fields = fields
  }

  /** The entry of this login's values; a new one where they were not met before. */
  entryOf(login: ParsedLogin, hashes: Int32Array): Entry {
    const fields = this.#fields
    let hash = 0
    for (let index = 0; index < fields.length; index++) {
      hash = (Math.imul(hash, 31) + (hashes[fields[index] ?? 0] ?? 0)) | 0
    }
    hash = spread(hash)
    const slots = this.#slots
    const mask = slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]
      if (entry === undefined) return this.#insert(this.#newEntry(login, hash))
      if (entry.hash === hash && this.#holds(entry, login)) return entry
    }
  }

  clear(): void {
    this.size = 0
    // About as many may come again. The chunk is left to the keys that stand in it.
    this.#slots = new Array(Math.max(FIRST_CAPACITY, this.#slots.length / 2)).fill(undefined)
    this.#chunk = nothing
    this.#used = 0
  }

  #holds(entry: Entry, login: ParsedLogin): boolean {
    const { bytes, starts, ends } = login
    const { values, valueEnds } = entry
    let from = entry.valuesStart
    for (let index = 0; index < valueEnds.length; index++) {
      const field = this.#fields[index] ?? 0
      const to = valueEnds[index] ?? 0
      let at = starts[field] ?? 0
      if ((ends[field] ?? 0) - at !== to - from) return false
      while (from < to) if (values[from++] !== bytes[at++]) return false
      from++
    }
    return true
  }

  #newEntry(login: ParsedLogin, hash: number): Entry {
    const { starts, ends } = login
    const fields = this.#fields
    let size = 0
    for (const field of fields) size += (ends[field] ?? 0) - (starts[field] ?? 0) + 1
    const { chunk, at: start } = this.#room(this.#prefix.length + size)
    chunk.set(this.#prefix, start)
    const valuesStart = start + this.#prefix.length
    const valueEnds = new Array<number>(fields.length)
    let at = valuesStart
    let isPlain = true
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index] ?? 0
      const from = starts[field] ?? 0
      const to = ends[field] ?? 0
      if (from === to) isPlain = false
      for (let source = from; source < to; source++) {
        const byte = login.bytes[source] ?? 0
        if (isEncodedInKey(byte)) isPlain = false
        chunk[at++] = byte
      }
      valueEnds[index] = at
      chunk[at++] = plus
    }
    const key = isPlain ? chunk.subarray(start, at - 1) : this.#encodedKey(login)
    return newEntry(key, hash, chunk, valuesStart, valueEnds)
  }

  #encodedKey({ bytes, starts, ends }: ParsedLogin): Buffer {
    const texts = Array.from(this.#fields, (field) => {
      const text = bytes.toString('utf8', starts[field] ?? 0, ends[field] ?? 0)
      return encodeKeyPart(text === '' ? UNKNOWN_VALUE : text)
    })
    return Buffer.concat([this.#prefix, Buffer.from(texts.join('+'))])
  }

  #room(bytes: number): { chunk: Buffer; at: number } {
    if (this.#used + bytes > this.#chunk.length) {
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes))
      this.#used = 0
    }
    const at = this.#used
    this.#used += bytes
    return { chunk: this.#chunk, at }
  }

  #insert(entry: Entry): Entry {
    if (this.size * 2 >= this.#slots.length) {
      const old = this.#slots
      this.#slots = new Array(old.length * 2).fill(undefined)
      for (const one of old) if (one !== undefined) this.#place(one)
    }
    this.size++
    return this.#place(entry)
  }

  #place(entry: Entry): Entry {
    const mask = this.#slots.length - 1
    let slot = entry.hash & mask
    while (this.#slots[slot] !== undefined) slot = (slot + 1) & mask
    this.#slots[slot] = entry
    return entry
  }
}

function newEntry(
  key: Buffer,
  hash: number,
  values: Buffer,
  valuesStart: number,
  valueEnds: readonly number[],
): Entry {
  return { key, delta: new LoginDelta(), hash, values, valuesStart, valueEnds }
}
