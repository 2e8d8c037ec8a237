/** The naive recount: one record after the other, one entry per key in a Map. */
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

/** What the recount finds for one key. */
export interface Recounted {
  readonly dimension: string
  readonly value: string
  count: number
  /** Event times, in milliseconds since the epoch. */
  firstSeen: number
  lastSeen: number
  /** By point of time, in the order of `timesOf`: logins of each window, by its name, as of that time. */
  readonly rolling: Record<string, number>[]
}

export interface Recount {
  readonly keys: Map<string, Recounted>
  valid: number
  invalid: number
}

export interface RecountOptions {
  readonly rules: RecountRules
  /** The points of time, in milliseconds, for which the rolling counts of a key are wanted. */
  timesOf(key: string): readonly number[]
  /** Whether the login at this place belongs into the count of this key. */
  counts(key: string, partition: number, offset: number): boolean
  /** Told of every record that is not a valid login. */
  onInvalid?(record: KafkaRecord, partition: number): void
}

/** Where pane(asOf) - panes < pane(eventTime) <= pane(asOf). */
export function isInWindow(eventTime: number, asOf: number, window: Window, panes: number): boolean {
  const paneMs = window.durationMs / panes
  const pane = Math.floor(eventTime / paneMs)
  const last = Math.floor(asOf / paneMs)
  return last - panes < pane && pane <= last
}

/** Returns an empty recount and the function that adds a record of the input to it. */
export function startRecount(options: RecountOptions): {
  readonly recount: Recount
  add(record: KafkaRecord, partition: number): void
} {
  const { rules } = options
  const recount: Recount = { keys: new Map(), valid: 0, invalid: 0 }
  return {
    recount,
    add(record, partition) {
      const login = readLogin(record, rules)
      if (login === null) {
        recount.invalid++
        options.onInvalid?.(record, partition)
        return
      }
      recount.valid++
      for (const { key, dimension, value } of login.rows) {
        if (!options.counts(key, partition, record.offset)) continue
        let found = recount.keys.get(key)
        if (found === undefined) {
          const zeros = () => Object.fromEntries(rules.windows.map(({ name }) => [name, 0]))
          const rolling = options.timesOf(key).map(zeros)
          found = { dimension, value, count: 0, firstSeen: Infinity, lastSeen: -Infinity, rolling }
          recount.keys.set(key, found)
        }
        addLogin(found, login.eventTime, options.timesOf(key), rules)
      }
    },
  }
}

function addLogin(found: Recounted, eventTime: number, times: readonly number[], rules: RecountRules): void {
  found.count++
  found.firstSeen = Math.min(found.firstSeen, eventTime)
  found.lastSeen = Math.max(found.lastSeen, eventTime)
  for (const [index, asOf] of times.entries()) {
    const rolling = found.rolling[index]
    if (rolling === undefined) continue
    for (const window of rules.windows)
      if (isInWindow(eventTime, asOf, window, rules.panes))
        rolling[window.name] = (rolling[window.name] ?? 0) + 1
  }
}
