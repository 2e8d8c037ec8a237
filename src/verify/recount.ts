/** The naive recount: one record after the other, each added to the entries of its keys in the ledger. */
import { field, type Ledger, rolling } from './ledger.ts'
import { type Rules, readLogin } from './login.ts'
import type { KafkaRecord } from './record-batch.ts'

export interface Window {
  readonly name: string
  readonly durationMs: number
}

export interface RecountRules extends Rules {
  readonly windows: readonly Window[]
  /** Panes of each window. */
  readonly panes: number
}

export interface RecountOptions {
  readonly rules: RecountRules
  /** Knows the rows of the table, as of whose times the rolling counts are wanted. */
  readonly ledger: Ledger
  /** By partition of the changelog: the final stream time, in milliseconds. */
  readonly streamTimes: readonly number[]
  /** By partition of the changelog: up to which offset (exclusive) it has counted a partition of the input. */
  readonly counted: readonly ReadonlyMap<number, number>[] | 'everything'
  /** Told of every record that is not a valid login. */
  onInvalid?(record: KafkaRecord, partition: number): void
}

/** Where pane(asOf) - panes < pane(eventTime) <= pane(asOf). */
export function isInWindow(eventTime: number, asOf: number, window: Window, panes: number): boolean {
  const paneMs = window.durationMs / panes
  return isPaneIn(Math.floor(eventTime / paneMs), Math.floor(asOf / paneMs), panes)
}

function isPaneIn(pane: number, last: number, panes: number): boolean {
  return last - panes < pane && pane <= last
}

/** Of keys in place of an entry. */
const notHeld = -1
const notCounted = -2

export class Recount {
  valid = 0
  invalid = 0
  /** Valid logins of which not every key is counted yet. */
  uncounted = 0
  readonly #options: RecountOptions
  readonly #paneMs: readonly number[]
  /** By partition of the changelog and window: the pane of the final stream time. */
  readonly #lastPanes: readonly (readonly number[])[]
  /** Of the login at hand, by window. */
  readonly #panes: number[]

  constructor(options: RecountOptions) {
    this.#options = options
    const { windows, panes } = options.rules
    this.#paneMs = windows.map(({ durationMs }) => durationMs / panes)
    this.#lastPanes = options.streamTimes.map((time) =>
      this.#paneMs.map((paneMs) => Math.floor(time / paneMs)),
    )
    this.#panes = windows.map(() => 0)
  }

  add(record: KafkaRecord, partition: number): void {
    const { rules, onInvalid } = this.#options
    const login = readLogin(record, rules)
    if (login === null) {
      this.invalid++
      onInvalid?.(record, partition)
      return
    }
    this.valid++
    const { eventTime, rows } = login
    for (const [window, paneMs] of this.#paneMs.entries())
      this.#panes[window] = Math.floor(eventTime / paneMs)
    let isUncounted = false
    for (const { key } of rows) {
      const index = this.#entry(key, partition, record.offset)
      if (index >= 0) this.#count(index, eventTime)
      else if (index === notCounted) isUncounted = true
    }
    if (isUncounted) this.uncounted++
  }

  /** The key's entry, made if need be; `notHeld` where another pass has it, `notCounted` where it has not come to this place. */
  #entry(key: string, partition: number, offset: number): number {
    const { ledger } = this.#options
    const found = ledger.find(key)
    if (found < 0 && !ledger.holds(key)) return notHeld
    const own = found < 0 ? ledger.partitionFor(key) : ledger.get(found, field.partition)
    if (!this.#isCounted(own, partition, offset)) return notCounted
    return found < 0 ? ledger.make(key, own) : found
  }

  #isCounted(own: number, partition: number, offset: number): boolean {
    const { counted } = this.#options
    return counted === 'everything' || offset < (counted[own]?.get(partition) ?? 0)
  }

  #count(index: number, eventTime: number): void {
    const { ledger, rules } = this.#options
    const chunk = ledger.chunk(index)
    const base = ledger.base(index)
    const count = (chunk[base + field.count] ?? 0) + 1
    chunk[base + field.count] = count
    if (count === 1 || eventTime < (chunk[base + field.firstSeen] ?? 0))
      chunk[base + field.firstSeen] = eventTime
    if (count === 1 || eventTime > (chunk[base + field.lastSeen] ?? 0))
      chunk[base + field.lastSeen] = eventTime
    const lastPanes = this.#lastPanes[chunk[base + field.partition] ?? 0]
    const asOf = chunk[base + field.rowPlace] === 0 ? null : (chunk[base + field.rowAsOf] ?? 0)
    for (let window = 0; window < this.#panes.length; window++) {
      const pane = this.#panes[window] ?? 0
      if (isPaneIn(pane, lastPanes?.[window] ?? 0, rules.panes))
        addOne(chunk, base + ledger.rollingAt(rolling.final, window))
      if (asOf !== null && isPaneIn(pane, Math.floor(asOf / (this.#paneMs[window] ?? 1)), rules.panes))
        addOne(chunk, base + ledger.rollingAt(rolling.asOfRow, window))
    }
  }
}

function addOne(chunk: Float64Array, at: number): void {
  chunk[at] = (chunk[at] ?? 0) + 1
}
