/**
 * A partial count: what one task has counted for one table key since its last commit. Deltas add up in any order and any
 * grouping to the same.
 *
 * Bytes, version 1 (varints unsigned):
 *
 *     version  count  firstSeen  lastSeen - firstSeen  number of ticks
 *     then per tick, in rising order:  tick (the first) or its distance to the one before,  count
 *
 * Times in milliseconds since the epoch; a tick is the one of `windows.ts`. The counts of the ticks may sum up to less than
 * `count`: a login that is late for every window has no tick.
 */
import { ByteReader, ByteWriter } from '../../bytes/varint.ts'
import { CodedError } from '../../errors.ts'
import { OUTSIDE, type TickGrid } from './windows.ts'

const FORMAT_VERSION = 1
const TICK_PLACES = 8

export class LoginDelta {
  count = 0
  /** Event time in ms; Infinity while nothing is counted. */
  firstSeen = Number.POSITIVE_INFINITY
  lastSeen = Number.NEGATIVE_INFINITY
  /** The first tick, with its count: many deltas see no other. */
  #tick = OUTSIDE
  #tickCount = 0
  /**
   * From the second tick on, all of them, in pairs of tick and count, each at a place of its own: logins come nearly in order,
   * so a few ticks take turns, and the map sees one only when another takes its place.
   */
  #places: number[] | null = null
  #ticks: Map<number, number> | null = null

  /** Counts one login. `tick` is that of its event time, or OUTSIDE. */
  add(eventTimeMs: number, tick: number): void {
    this.count++
    if (eventTimeMs < this.firstSeen) this.firstSeen = eventTimeMs
    if (eventTimeMs > this.lastSeen) this.lastSeen = eventTimeMs
    this.#addTick(tick, 1)
  }

  /** Adds another delta to this one. */
  merge(from: LoginDelta): void {
    this.count += from.count
    this.firstSeen = Math.min(this.firstSeen, from.firstSeen)
    this.lastSeen = Math.max(this.lastSeen, from.lastSeen)
    for (const [tick, count] of from.ticks()) this.#addTick(tick, count)
  }

  /** Counts per tick, ticks rising. */
  ticks(): [tick: number, count: number][] {
    this.#settle()
    return this.#ticks === null ? [] : [...this.#ticks].sort(([a], [b]) => a - b)
  }

  /** Drops and merges the ticks that no window needs apart any longer at the grid's stream time. */
  coarsen(grid: TickGrid): void {
    if (this.#places === null && this.#ticks === null) {
      // One tick, or none, as with many keys.
      if (this.#tick !== OUTSIDE) this.#tick = grid.coarsen(this.#tick)
      if (this.#tick === OUTSIDE) this.#tickCount = 0
      return
    }
    const ticks = this.ticks()
    this.#ticks = null
    for (const [tick, count] of ticks) this.#addTick(grid.coarsen(tick), count)
  }

  /** Counts nothing again. */
  reset(): void {
    this.count = 0
    this.firstSeen = Number.POSITIVE_INFINITY
    this.lastSeen = Number.NEGATIVE_INFINITY
    this.#tick = OUTSIDE
    this.#tickCount = 0
    this.#places = null
    this.#ticks = null
  }

  #addTick(tick: number, count: number): void {
    if (tick === OUTSIDE) return
    const places = this.#places
    if (places === null) {
      this.#addFirstTick(tick, count)
      return
    }
    const place = (tick % TICK_PLACES) * 2
    if (places[place] !== tick) {
      this.#moveToMap(places[place] ?? OUTSIDE, places[place + 1] ?? 0)
      places[place] = tick
      places[place + 1] = 0
    }
    places[place + 1] = (places[place + 1] ?? 0) + count
  }

  #addFirstTick(tick: number, count: number): void {
    if (this.#tick === OUTSIDE) this.#tick = tick
    if (this.#tick === tick) {
      this.#tickCount += count
    } else {
      this.#places = emptyPlaces()
      this.#addTick(tick, count)
    }
  }

  #moveToMap(tick: number, count: number): void {
    if (tick === OUTSIDE) return
    this.#ticks ??= new Map()
    this.#ticks.set(tick, (this.#ticks.get(tick) ?? 0) + count)
  }

  /** Puts everything into the map. */
  #settle(): void {
    this.#moveToMap(this.#tick, this.#tickCount)
    const places = this.#places ?? []
    for (let place = 0; place < places.length; place += 2) {
      this.#moveToMap(places[place] ?? OUTSIDE, places[place + 1] ?? 0)
    }
    this.#tick = OUTSIDE
    this.#tickCount = 0
    this.#places = null
  }

  /** For the decoder alone. */
  static of(
    count: number,
    firstSeen: number,
    lastSeen: number,
    ticks: Map<number, number> | null,
  ): LoginDelta {
    const delta = new LoginDelta()
    delta.count = count
    delta.firstSeen = firstSeen
    delta.lastSeen = lastSeen
    delta.#ticks = ticks
    return delta
  }
}

function emptyPlaces(): number[] {
  return new Array<number>(TICK_PLACES * 2).fill(OUTSIDE)
}

const writer = new ByteWriter()

/** The bytes of a delta that has counted something; a copy. */
export function encodeDelta(delta: LoginDelta): Buffer {
  writer.reset()
  writer.writeUInt8(FORMAT_VERSION)
  writer.writeUVarint(delta.count)
  writer.writeUVarint(delta.firstSeen)
  writer.writeUVarint(delta.lastSeen - delta.firstSeen)
  const ticks = delta.ticks()
  writer.writeUVarint(ticks.length)
  let before = 0
  for (const [tick, count] of ticks) {
    writer.writeUVarint(tick - before)
    writer.writeUVarint(count)
    before = tick
  }
  return writer.toBuffer()
}

/** Reads `bytes[start, end)`. Throws FORMAT_TOO_NEW, or RangeError if they are not a delta. */
export function decodeDelta(bytes: Buffer, start = 0, end = bytes.length): LoginDelta {
  const reader = new ByteReader(bytes, start, end)
  expectVersion(reader.readUInt8(), FORMAT_VERSION, 'decode a partial count')
  const count = reader.readUVarint()
  const firstSeen = reader.readUVarint()
  const lastSeen = firstSeen + reader.readUVarint()
  let left = reader.readUVarint()
  const ticks = left === 0 ? null : new Map<number, number>()
  for (let tick = 0; left > 0; left--) {
    tick += reader.readUVarint()
    ticks?.set(tick, reader.readUVarint())
  }
  reader.expectEnd()
  return LoginDelta.of(count, firstSeen, lastSeen, ticks)
}

/** Throws FORMAT_TOO_NEW for a version of the future, RangeError for one that never was. */
export function expectVersion(found: number, known: number, operation: string): void {
  if (found > known) {
    throw new CodedError('FORMAT_TOO_NEW', {
      operation,
      detail: `Found format version ${found}; this program knows up to ${known}.`,
    })
  }
  if (found !== known) throw new RangeError(`Not a format version: ${found}`)
}
