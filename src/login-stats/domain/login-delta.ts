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
const PARKING_PLACES = 8

export class LoginDelta {
  count = 0
  /** Event time in ms; Infinity while nothing is counted. */
  firstSeen = Number.POSITIVE_INFINITY
  lastSeen = Number.NEGATIVE_INFINITY
  /** The tick that was counted last, with its count since then. */
  #tick = OUTSIDE
  #tickCount = 0
  /**
   * Ticks that were left for another one, in pairs of tick and count, each at a place of its own: logins come nearly in order,
   * so a few ticks take turns, and the map sees one only when another takes its place.
   */
  #parked: number[] | null = null
  #ticks: Map<number, number> | null = null

  /** Counts one login. `tick` is that of its event time, or OUTSIDE. */
  add(eventTimeMs: number, tick: number): void {
    this.count++
    if (eventTimeMs < this.firstSeen) this.firstSeen = eventTimeMs
    if (eventTimeMs > this.lastSeen) this.lastSeen = eventTimeMs
    if (tick === this.#tick) this.#tickCount++
    else this.#addTick(tick, 1)
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
    this.#parked = null
    this.#ticks = null
  }

  #addTick(tick: number, count: number): void {
    if (tick === OUTSIDE) return
    if (tick !== this.#tick) {
      this.#park()
      this.#tick = tick
      // While there was no tick, `add` may have counted logins that have none.
      this.#tickCount = 0
    }
    this.#tickCount += count
  }

  /** Puts the present tick away, before another one takes over. */
  #park(): void {
    if (this.#tick === OUTSIDE) return
    this.#parked ??= emptyPlaces()
    const place = (this.#tick % PARKING_PLACES) * 2
    if (this.#parked[place] === this.#tick) {
      this.#parked[place + 1] = (this.#parked[place + 1] ?? 0) + this.#tickCount
    } else {
      this.#moveToMap(this.#parked[place] ?? OUTSIDE, this.#parked[place + 1] ?? 0)
      this.#parked[place] = this.#tick
      this.#parked[place + 1] = this.#tickCount
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
    this.#tick = OUTSIDE
    this.#tickCount = 0
    const parked = this.#parked ?? []
    for (let place = 0; place < parked.length; place += 2) {
      this.#moveToMap(parked[place] ?? OUTSIDE, parked[place + 1] ?? 0)
      parked[place] = OUTSIDE
    }
  }

  /** For the decoder alone. */
  static of(count: number, firstSeen: number, lastSeen: number, ticks: Map<number, number>): LoginDelta {
    const delta = new LoginDelta()
    delta.count = count
    delta.firstSeen = firstSeen
    delta.lastSeen = lastSeen
    delta.#ticks = ticks.size === 0 ? null : ticks
    return delta
  }
}

function emptyPlaces(): number[] {
  return new Array<number>(PARKING_PLACES * 2).fill(OUTSIDE)
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
  const ticks = new Map<number, number>()
  let tick = 0
  for (let left = reader.readUVarint(); left > 0; left--) {
    tick += reader.readUVarint()
    ticks.set(tick, reader.readUVarint())
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
