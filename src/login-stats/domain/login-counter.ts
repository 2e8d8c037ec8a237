/**
 * The state of one table key: its count, when it was seen, and per window the counts of its panes.
 *
 * A pane stays as long as it can still count at some stream time to come: those inside the window, and those in the
 * future. Stream time must never fall from one call to the next.
 *
 * Bytes, version 1 (varints unsigned):
 *
 *     version  count  firstSeen  lastSeen - firstSeen  number of windows
 *     then per window:  number of panes
 *         then per pane, in rising order:  pane (the first) or its distance to the one before,  count
 */
import { ByteReader, ByteWriter } from '../../bytes/varint.ts'
import { expectVersion, type LoginDelta } from './login-delta.ts'
import { oldestPane, type Windows } from './windows.ts'

const FORMAT_VERSION = 1

/** Panes of one window that have a count, rising. */
interface PaneCounts {
  readonly panes: number[]
  readonly counts: number[]
}

export class LoginCounter {
  readonly windows: Windows
  count = 0
  /** Event time in ms; Infinity while nothing is counted. */
  firstSeen = Number.POSITIVE_INFINITY
  lastSeen = Number.NEGATIVE_INFINITY
  readonly #byWindow: PaneCounts[]

  constructor(windows: Windows) {
    this.windows = windows
    this.#byWindow = windows.list.map(() => ({ panes: [], counts: [] }))
  }

  /** Adds a partial count. `streamTimeMs` must be no less than that of the task which made it. */
  add(delta: LoginDelta, streamTimeMs: number): void {
    this.count += delta.count
    this.firstSeen = Math.min(this.firstSeen, delta.firstSeen)
    this.lastSeen = Math.max(this.lastSeen, delta.lastSeen)
    this.prune(streamTimeMs)
    const { list, panes, tickMs } = this.windows
    const ticks = delta.ticks()
    for (const [index, window] of list.entries()) {
      const counted = this.#byWindow[index]
      const oldest = oldestPane(window, panes, streamTimeMs)
      for (const [tick, count] of ticks) {
        const pane = Math.floor((tick * tickMs) / window.paneMs)
        if (counted !== undefined && pane >= oldest) addToPane(counted, pane, count)
      }
    }
  }

  /** By window: the logins of panes p with pane(streamTime) - panes < p <= pane(streamTime). */
  rolling(streamTimeMs: number): number[] {
    return this.windows.list.map((window, index) => {
      const { panes, counts } = this.#panesOf(index)
      const newest = Math.floor(streamTimeMs / window.paneMs)
      const oldest = newest - this.windows.panes + 1
      let sum = 0
      for (let at = panes.length - 1; at >= 0; at--) {
        const pane = panes[at] ?? 0
        if (pane < oldest) break
        if (pane <= newest) sum += counts[at] ?? 0
      }
      return sum
    })
  }

  /** The earliest stream time after this one, in ms, at which a rolling count will differ; null if none ever will. */
  nextChange(streamTimeMs: number): number | null {
    let next = Number.POSITIVE_INFINITY
    for (const [index, { paneMs }] of this.windows.list.entries()) {
      const pane = nextChangingPane(
        this.#panesOf(index),
        Math.floor(streamTimeMs / paneMs),
        this.windows.panes,
      )
      next = Math.min(next, pane * paneMs)
    }
    return next === Number.POSITIVE_INFINITY ? null : next
  }

  /** Drops the panes that can count no more. */
  prune(streamTimeMs: number): void {
    for (const [index, window] of this.windows.list.entries()) {
      const { panes, counts } = this.#panesOf(index)
      const oldest = oldestPane(window, this.windows.panes, streamTimeMs)
      if ((panes[0] ?? oldest) >= oldest) continue
      const firstKept = panes.findIndex((pane) => pane >= oldest)
      const dropped = firstKept < 0 ? panes.length : firstKept
      panes.splice(0, dropped)
      counts.splice(0, dropped)
    }
  }

  /** Writes the format above. */
  writeTo(writer: ByteWriter): void {
    writer.writeUInt8(FORMAT_VERSION)
    writer.writeUVarint(this.count)
    writer.writeUVarint(this.firstSeen)
    writer.writeUVarint(this.lastSeen - this.firstSeen)
    writer.writeUVarint(this.#byWindow.length)
    for (const { panes, counts } of this.#byWindow) {
      writer.writeUVarint(panes.length)
      let before = 0
      for (const [index, pane] of panes.entries()) {
        writer.writeUVarint(pane - before)
        writer.writeUVarint(counts[index] ?? 0)
        before = pane
      }
    }
  }

  /** Fills this new counter from the format above. */
  readFrom(reader: ByteReader): void {
    expectVersion(reader.readUInt8(), FORMAT_VERSION, 'decode a counter')
    this.count = reader.readUVarint()
    this.firstSeen = reader.readUVarint()
    this.lastSeen = this.firstSeen + reader.readUVarint()
    const windowCount = reader.readUVarint()
    if (windowCount !== this.#byWindow.length) {
      throw new RangeError(`A counter of ${windowCount} windows where there are ${this.#byWindow.length}`)
    }
    for (const { panes, counts } of this.#byWindow) {
      let pane = 0
      for (let left = reader.readUVarint(); left > 0; left--) {
        pane += reader.readUVarint()
        panes.push(pane)
        counts.push(reader.readUVarint())
      }
    }
    reader.expectEnd()
  }

  #panesOf(index: number): PaneCounts {
    const counted = this.#byWindow[index]
    if (counted === undefined) throw new RangeError(`No window ${index}`)
    return counted
  }
}

function addToPane({ panes, counts }: PaneCounts, pane: number, count: number): void {
  let at = panes.length
  while (at > 0 && (panes[at - 1] ?? 0) > pane) at--
  if (at > 0 && panes[at - 1] === pane) {
    counts[at - 1] = (counts[at - 1] ?? 0) + count
  } else {
    panes.splice(at, 0, pane)
    counts.splice(at, 0, count)
  }
}

/**
 * The first pane of stream time after `current` with which the sum of a window changes: one pane falls out, or one comes
 * in, and where both happen at once their counts differ. Infinity if there is none.
 */
function nextChangingPane({ panes, counts }: PaneCounts, current: number, paneCount: number): number {
  let leaving = 0
  while (leaving < panes.length && (panes[leaving] ?? 0) + paneCount <= current) leaving++
  let coming = leaving
  while (coming < panes.length && (panes[coming] ?? 0) <= current) coming++
  while (leaving < panes.length) {
    const leavesAt = (panes[leaving] ?? 0) + paneCount
    const comesAt = panes[coming] ?? Number.POSITIVE_INFINITY
    if (leavesAt !== comesAt || counts[leaving] !== counts[coming]) return Math.min(leavesAt, comesAt)
    leaving++
    coming++
  }
  return Number.POSITIVE_INFINITY
}

const writer = new ByteWriter()

/** The bytes of a counter that has counted something; a copy. */
export function encodeCounter(counter: LoginCounter): Buffer {
  writer.reset()
  counter.writeTo(writer)
  return writer.toBuffer()
}

/** Reads `bytes`. Throws FORMAT_TOO_NEW, or RangeError if they are not a counter of these windows. */
export function decodeCounter(bytes: Buffer, windows: Windows): LoginCounter {
  const counter = new LoginCounter(windows)
  counter.readFrom(new ByteReader(bytes))
  return counter
}
