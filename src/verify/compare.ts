/** The recount against the changelog and the table, key by key. */
import type { Changelog } from './changelog.ts'
import type { Differences } from './differences.ts'
import { field, type Ledger, rolling } from './ledger.ts'
import type { RecountRules } from './recount.ts'
import type { Place } from './report.ts'
import type { Table } from './table.ts'

export interface Compared {
  readonly keys: number
  readonly staleRows: number
}

export interface ComparedParts {
  /** With the recount, the changelog and the table in it. */
  readonly ledger: Ledger
  readonly changelog: Changelog
  readonly table: Table
  readonly rules: RecountRules
  readonly caughtUp: boolean
  readonly differences: Differences
}

/** Tells what differs to `differences`. */
export function compare(parts: ComparedParts): Compared {
  const { ledger, changelog, table, differences } = parts
  changelog.misplaced.tell(differences)
  table.misplaced.tell(differences)
  const comparison = new Comparison(parts)
  for (const index of ledger.keys.keys()) comparison.compareKey(index)
  const { keys, staleRows } = comparison
  return { keys, staleRows }
}

interface At {
  readonly where: 'changelog' | 'table'
  readonly key: string
  readonly partition: number
  readonly records: readonly Place[]
}

class Comparison {
  keys = 0
  staleRows = 0
  readonly #parts: ComparedParts

  constructor(parts: ComparedParts) {
    this.#parts = parts
  }

  compareKey(index: number): void {
    const get = (at: number) => this.#parts.ledger.get(index, at)
    const [isRecounted, hasCounter, hasRow] = [field.count, field.counterPlace, field.rowPlace].map(
      (at) => get(at) > 0,
    )
    if (!(isRecounted || hasCounter || hasRow)) return
    this.keys++
    this.#compareCounter(index)
    this.#compareRow(index)
  }

  /** The changelog must say what the recount says. */
  #compareCounter(index: number): void {
    const get = (at: number) => this.#parts.ledger.get(index, at)
    const place = get(field.counterPlace)
    const at = this.#at('changelog', index, place)
    const [expected, found] = [get(field.count), place === 0 ? 0 : get(field.counterCount)]
    this.#atLeast(at, 'count', expected, found)
    if (expected === 0 || place === 0) return
    this.#compareSeen(at, index, get(field.counterFirstSeen), get(field.counterLastSeen))
    this.#compareRolling(at, index, rolling.final, rolling.counter)
  }

  /** The row must say what the recount says, the rolling counts as of its own time. */
  #compareRow(index: number): void {
    const { ledger, table, rules, caughtUp, differences } = this.#parts
    const get = (field: number) => ledger.get(index, field)
    const place = get(field.rowPlace)
    const at = this.#at('table', index, place === 0 ? get(field.tombstonePlace) : place)
    const expected = get(field.count)
    const found = place === 0 ? 0 : get(field.rowCount)
    const ofCounter = get(field.counterPlace) === 0 ? 0 : get(field.counterCount)
    if (expected !== found)
      differences.add(
        { ...at, what: 'count', expected, found: orNull(found) },
        found > expected && found === ofCounter,
      )
    for (const oddity of table.oddities.get(index) ?? []) differences.add({ ...at, ...oddity })
    if (get(field.count) === 0 || place === 0 || Number.isNaN(found)) return
    this.#compareSeen(at, index, get(field.rowFirstSeen), get(field.rowLastSeen))
    this.#compareRolling(at, index, rolling.asOfRow, rolling.row)
    const isStale = (_: unknown, window: number) =>
      get(ledger.rollingAt(rolling.final, window)) !== get(ledger.rollingAt(rolling.row, window))
    if (caughtUp && rules.windows.some(isStale)) this.staleRows++
  }

  #at(where: At['where'], index: number, place: number): At {
    const { ledger } = this.#parts
    const partition = ledger.get(index, field.partition)
    const records = place === 0 ? [] : [{ partition, offset: place - 1 }]
    return { where, key: ledger.keys[index] ?? '', partition, records }
  }

  #compareSeen(at: At, index: number, firstSeen: number, lastSeen: number): void {
    const { ledger, differences } = this.#parts
    const first = ledger.get(index, field.firstSeen)
    const last = ledger.get(index, field.lastSeen)
    if (firstSeen !== first)
      differences.add(
        { ...at, what: 'first_seen', expected: iso(first), found: iso(firstSeen) },
        firstSeen < first,
      )
    if (lastSeen !== last)
      differences.add(
        { ...at, what: 'last_seen', expected: iso(last), found: iso(lastSeen) },
        lastSeen > last,
      )
  }

  #compareRolling(at: At, index: number, expected: number, found: number): void {
    const { ledger, rules } = this.#parts
    for (const [window, { name }] of rules.windows.entries())
      this.#atLeast(
        at,
        `rolling.${name}`,
        ledger.get(index, ledger.rollingAt(expected, window)),
        ledger.get(index, ledger.rollingAt(found, window)),
      )
  }

  /** Where logins are missing in the recount because they are gone, more is found than expected. */
  #atLeast(at: At, what: string, expected: number, found: number): void {
    if (expected !== found)
      this.#parts.differences.add({ ...at, what, expected, found: orNull(found) }, found > expected)
  }
}

/** Not a number: the record does not say. */
function orNull(count: number): number | null {
  return Number.isNaN(count) ? null : count
}

function iso(time: number): string {
  return Number.isNaN(time) ? 'not a time' : new Date(time).toISOString()
}
