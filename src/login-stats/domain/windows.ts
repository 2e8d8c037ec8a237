/**
 * Rolling windows, and the arithmetic of their panes.
 *
 * With pane(t) = floor(t / paneMs), a login at t is in a window at stream time s if
 *
 *     pane(s) - panes < pane(t) <= pane(s)
 *
 * Below pane(s) - panes + 1 it is *late* for that window, and stays so, because stream time never falls; above pane(s)
 * it is in the *future*, and will count once stream time gets there.
 *
 * A *tick* is a time that stands for all times in the same pane of every window: floor(t / tickMs), where tickMs divides
 * every pane. A login that is late for some windows needs only the resolution of the others, so its tick is coarser:
 * a count per tick stays small however long the windows are and however fast a backlog runs through them.
 */
import { CodedError } from '../../errors.ts'

export interface Window {
  /** As in the setting, e.g. `5m`. */
  readonly name: string
  readonly durationMs: number
  readonly paneMs: number
}

export interface Windows {
  /** In the order of the setting. */
  readonly list: readonly Window[]
  /** Panes in each window. */
  readonly panes: number
  /** Greatest common divisor of all pane widths; 1 where there is no window. */
  readonly tickMs: number
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** A key keeps up to so many counters per window. */
const MAX_PANES = 1_440
/** Sets of windows are kept as bits of a small integer. */
const MAX_WINDOWS = 16

/**
 * Reads the settings, e.g. `1m,5m,1h,24h` and 60. Units: s, m, h, d. Empty: no windows.
 * Throws CONFIG_INVALID; `details.detail` says what is wrong.
 */
export function parseWindows(text: string, panes: number): Windows {
  const names = text.trim() === '' ? [] : text.split(',').map((name) => name.trim())
  return splitWindows(
    names.map((name) => ({ name, durationMs: durationOf(name) })),
    panes,
  )
}

function durationOf(name: string): number {
  const match = /^([1-9]\d{0,5})([smhd])$/.exec(name)
  const unitMs = UNIT_MS[match?.[2] ?? '']
  if (match !== null && unitMs !== undefined) return Number(match[1]) * unitMs
  throw invalid(`"${name}" is not a window: write a whole number and s, m, h or d, such as 5m.`)
}

/** Splits windows into so many panes each. Throws CONFIG_INVALID if that does not give whole milliseconds. */
export function splitWindows(
  windows: readonly { readonly name: string; readonly durationMs: number }[],
  panes: number,
): Windows {
  if (!Number.isInteger(panes) || panes < 1 || panes > MAX_PANES) {
    throw invalid(`ROLLING_PANES must be a whole number from 1 to ${MAX_PANES}.`)
  }
  if (windows.length > MAX_WINDOWS) throw invalid(`More than ${MAX_WINDOWS} windows.`)
  for (const [index, { name, durationMs }] of windows.entries()) {
    if (windows.findIndex((other) => other.name === name) < index)
      throw invalid(`${name} stands there twice.`)
    if (!/^[\w.]+$/.test(name) || !(durationMs > 0)) throw invalid(`"${name}" is not a window.`)
    if (durationMs % panes !== 0) {
      throw invalid(`"${name}" (${durationMs} ms) does not split into ${panes} panes of whole milliseconds.`)
    }
  }
  const list = windows.map(({ name, durationMs }) => ({ name, durationMs, paneMs: durationMs / panes }))
  const tickMs = list.reduce((divisor, { paneMs }) => greatestCommonDivisor(divisor, paneMs), 0)
  return { list, panes, tickMs: tickMs === 0 ? 1 : tickMs }
}

function invalid(detail: string): CodedError {
  return new CodedError('CONFIG_INVALID', { operation: 'ROLLING_WINDOWS', detail })
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

/** The oldest pane that is inside the window at this stream time. */
export function oldestPane(window: Window, panes: number, streamTimeMs: number): number {
  return Math.floor(streamTimeMs / window.paneMs) - panes + 1
}

/** The tick of a time that is late for every window. */
export const OUTSIDE = -1

/** Gives event times their ticks, at a stream time that only grows. */
export class TickGrid {
  readonly tickMs: number
  /** No event from this time on is late for any window. */
  allFromMs = Number.POSITIVE_INFINITY
  readonly #windows: Windows
  /** By window: events before this time are late. */
  readonly #lateBelowMs: Float64Array
  /** By set of windows (a bit each): the width of the ticks that serve these alone. */
  readonly #tickMsOfSet: number[] = []
  #nextMoveMs = Number.NEGATIVE_INFINITY

  constructor(windows: Windows) {
    this.#windows = windows
    this.tickMs = windows.tickMs
    this.#lateBelowMs = new Float64Array(windows.list.length).fill(Number.NEGATIVE_INFINITY)
    if (windows.list.length > 0) this.allFromMs = Number.NEGATIVE_INFINITY
  }

  /** Moves the panes on to this stream time. Cheap while it stays in the same tick. */
  moveTo(streamTimeMs: number): void {
    if (streamTimeMs < this.#nextMoveMs) return
    const { list, panes } = this.#windows
    this.#nextMoveMs = (Math.floor(streamTimeMs / this.tickMs) + 1) * this.tickMs
    for (const [index, window] of list.entries()) {
      this.#lateBelowMs[index] = oldestPane(window, panes, streamTimeMs) * window.paneMs
    }
    if (list.length > 0) this.allFromMs = Math.max(...this.#lateBelowMs)
  }

  /** The tick of an event time: the same for all times that no window still open to it can tell apart, or OUTSIDE. */
  tickOf(eventTimeMs: number): number {
    return eventTimeMs >= this.allFromMs
      ? Math.floor(eventTimeMs / this.tickMs)
      : this.#lateTickOf(eventTimeMs)
  }

  /** The tick that stands for `tick` at the present stream time. */
  coarsen(tick: number): number {
    return this.tickOf(tick * this.tickMs)
  }

  /** Adds one to the count of each window that the event is late for. */
  countLate(eventTimeMs: number, counts: Float64Array): void {
    for (let index = 0; index < counts.length; index++) {
      if (eventTimeMs < (this.#lateBelowMs[index] ?? 0)) counts[index] = (counts[index] ?? 0) + 1
    }
  }

  #lateTickOf(eventTimeMs: number): number {
    let open = 0
    for (let index = 0; index < this.#lateBelowMs.length; index++) {
      if (eventTimeMs >= (this.#lateBelowMs[index] ?? 0)) open |= 1 << index
    }
    if (open === 0) return OUTSIDE
    const coarseMs = this.#tickMsFor(open)
    return Math.floor(eventTimeMs / coarseMs) * (coarseMs / this.tickMs)
  }

  #tickMsFor(open: number): number {
    const known = this.#tickMsOfSet[open]
    if (known !== undefined) return known
    const tickMs = this.#windows.list
      .filter((_, index) => (open & (1 << index)) !== 0)
      .reduce((divisor, window) => greatestCommonDivisor(divisor, window.paneMs), 0)
    this.#tickMsOfSet[open] = tickMs
    return tickMs
  }
}
