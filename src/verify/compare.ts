/** The recount against the changelog and the table, key by key. */
import { type ChangelogPartition, type Counter, rollingOf } from './changelog.ts'
import { partitionOf } from './partitioner.ts'
import type { Recount, Recounted, RecountRules } from './recount.ts'
import type { Difference } from './report.ts'
import type { Table, TableRow } from './table.ts'

export interface Compared {
  readonly differences: readonly Difference[]
  /** How many of them records that are gone from the input's start could explain. */
  readonly explainable: number
  readonly keys: number
  readonly staleRows: number
}

export interface ComparedParts {
  readonly recount: Recount
  readonly changelog: readonly ChangelogPartition[]
  readonly table: Table
  readonly rules: RecountRules
  readonly caughtUp: boolean
}

/** The row of a key that says what the changelog says; the last one if there is none such. */
export function matchingRow(rows: readonly TableRow[], counter: Counter | undefined): TableRow | undefined {
  return rows.findLast(({ count }) => count === counter?.count) ?? rows.at(-1)
}

/** Times for which `compare` needs the rolling counts of a key: those of the changelog's meta record, and of the row. */
export function comparedTimes(
  changelog: readonly ChangelogPartition[],
  table: Table,
): (key: string) => readonly [streamTime: number, asOf: number] {
  const known = new Map<string, readonly [number, number]>()
  return (key) => {
    const found = known.get(key)
    if (found !== undefined) return found
    const partition = changelog[partitionOf(Buffer.from(key), changelog.length)]
    const streamTime = partition?.streamTime ?? 0
    const row = matchingRow(table.rows.get(key) ?? [], partition?.counters.get(key))
    const times = [streamTime, row === undefined ? streamTime : Date.parse(row.as_of)] as const
    known.set(key, times)
    return times
  }
}

export function compare(parts: ComparedParts): Compared {
  const comparison = new Comparison(parts)
  const { recount, changelog, table } = parts
  const keys = new Set([...recount.keys.keys(), ...table.rows.keys()])
  for (const { counters } of changelog) for (const key of counters.keys()) keys.add(key)
  for (const key of keys) comparison.compareKey(key)
  const { differences, explainable, staleRows } = comparison
  return { differences, explainable, staleRows, keys: keys.size }
}

class Comparison {
  readonly differences: Difference[] = []
  explainable = 0
  staleRows = 0
  readonly #parts: ComparedParts

  constructor(parts: ComparedParts) {
    this.#parts = parts
  }

  compareKey(key: string): void {
    const { recount, changelog, table } = this.#parts
    const partition = partitionOf(Buffer.from(key), changelog.length)
    const recounted = recount.keys.get(key)
    for (const [other, { counters }] of changelog.entries())
      if (other !== partition && counters.has(key))
        this.#differ({
          where: 'changelog',
          what: 'partition',
          key,
          partition,
          expected: partition,
          found: other,
        })
    const counter = changelog[partition]?.counters.get(key)
    this.#compareCounter(key, partition, recounted, counter)

    const rows = table.rows.get(key) ?? []
    const rowPartition = table.partitions.get(key) ?? partition
    if (rowPartition !== partition)
      this.#differ({
        where: 'table',
        what: 'partition',
        key,
        partition,
        expected: partition,
        found: rowPartition,
      })
    const row = matchingRow(rows, counter)
    this.#compareRow(key, partition, recounted, counter, row)
  }

  /** The changelog must say what the recount says. */
  #compareCounter(
    key: string,
    partition: number,
    recounted: Recounted | undefined,
    counter: Counter | undefined,
  ): void {
    const { rules, changelog } = this.#parts
    const at = { where: 'changelog', key, partition } as const
    this.#atLeast({ ...at, what: 'count', expected: recounted?.count ?? 0, found: counter?.count ?? 0 })
    if (recounted === undefined || counter === undefined) return
    this.#compareSeen(at, recounted, counter.firstSeen, counter.lastSeen)
    const streamTime = changelog[partition]?.streamTime ?? 0
    const rolling = rollingOf(counter, streamTime, rules.windows, rules.panes)
    this.#compareRolling(at, recounted.rolling[0] ?? {}, rolling)
  }

  /** The row must say what the changelog says, and as of its own time what the recount says. */
  #compareRow(
    key: string,
    partition: number,
    recounted: Recounted | undefined,
    counter: Counter | undefined,
    row: TableRow | undefined,
  ): void {
    const at = { where: 'table', key, partition } as const
    if (row?.count !== counter?.count)
      this.#differ({ ...at, what: 'count', expected: counter?.count ?? 0, found: row?.count ?? 0 })
    if (recounted === undefined || row === undefined) return
    for (const what of ['dimension', 'value'] as const)
      if (row[what] !== recounted[what])
        this.#differ({ ...at, what, expected: recounted[what], found: row[what] })
    this.#compareSeen(at, recounted, Date.parse(row.first_seen), Date.parse(row.last_seen))
    this.#compareRolling(at, recounted.rolling[1] ?? {}, row.rolling)
    const final = recounted.rolling[0] ?? {}
    if (this.#parts.caughtUp && Object.keys(final).some((name) => final[name] !== row.rolling[name]))
      this.staleRows++
  }

  #compareSeen(
    at: Pick<Difference, 'where' | 'key' | 'partition'>,
    recounted: Recounted,
    firstSeen: number,
    lastSeen: number,
  ): void {
    const { firstSeen: first, lastSeen: last } = recounted
    if (firstSeen !== first)
      this.#differ(
        { ...at, what: 'first_seen', expected: iso(first), found: iso(firstSeen) },
        firstSeen < first,
      )
    if (lastSeen !== last)
      this.#differ({ ...at, what: 'last_seen', expected: iso(last), found: iso(lastSeen) }, lastSeen > last)
  }

  #compareRolling(
    at: Pick<Difference, 'where' | 'key' | 'partition'>,
    expected: Readonly<Record<string, number>>,
    found: Readonly<Record<string, number>>,
  ): void {
    for (const name of new Set([...Object.keys(expected), ...Object.keys(found)]))
      this.#atLeast({
        ...at,
        what: `rolling.${name}`,
        expected: expected[name] ?? null,
        found: found[name] ?? null,
      })
  }

  /** Where logins are missing in the recount because they are gone, more is found than expected. */
  #atLeast(difference: Difference & { expected: number | null; found: number | null }): void {
    const { expected, found } = difference
    if (expected !== found) this.#differ(difference, (found ?? -1) > (expected ?? 0))
  }

  #differ(difference: Difference, explainable = false): void {
    this.differences.push(difference)
    if (explainable) this.explainable++
  }
}

function iso(time: number): string {
  return Number.isNaN(time) ? 'not a time' : new Date(time).toISOString()
}
