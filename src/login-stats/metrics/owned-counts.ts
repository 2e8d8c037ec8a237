/**
 * The counts of the rows whose tasks run here, as the stores have committed them: the metrics that dashboards of earlier systems for
 * this job use. Each key has one owner, so that a sum over all instances is right, as long as no value is left out:
 *
 *   1. Of each store, and each dimension, the first 10,000 values in the order of their keys are looked at. More would take the stream
 *      thread's time from the logins.
 *   2. Of those, an instance tells the 1,000 of each dimension that have the most logins, and how many values it leaves out.
 */
import { ByteReader } from '../../bytes/varint.ts'
import { type Streams, stateOfEntry } from '../../streams/index.ts'
import { dimensionOf, keyRange, TOTAL_KEY } from '../domain/dimensions.ts'

/** The values of one dimension that a thread or an instance owns. */
export interface OwnedCounts {
  readonly dimension: string
  /** Those with the most logins, in that order. */
  readonly counts: readonly { readonly value: string; readonly count: number }[]
  /** How many values are owned and are not among them; at least so many, where a store has more than are looked at. */
  readonly leftOut: number
}

/** More values of one dimension would be more series than a monitoring system likes. */
export const mostSeries = 1000
const mostLookedAt = 10_000

/** Of the total, and of each dimension. */
export async function ownedCounts(
  streams: Pick<Streams, 'query'>,
  dimensions: readonly string[],
): Promise<OwnedCounts[]> {
  const total = { gte: Buffer.from(TOTAL_KEY), lt: Buffer.from(`${TOTAL_KEY}\0`) }
  const ranges = [[TOTAL_KEY, total] as const, ...dimensions.map((name) => [name, keyRange(name)] as const)]
  const all: OwnedCounts[] = []
  for (const [dimension, range] of ranges) {
    let owned: OwnedCounts = { dimension, counts: [], leftOut: 0 }
    for await (const { entries } of streams.query({ ...range, limit: mostLookedAt })) {
      const more = entries.map(([key, entry]) => ({
        value: dimensionOf(key.toString()).value,
        count: countIn(stateOfEntry(entry)),
      }))
      owned = together(owned, { dimension, counts: more, leftOut: 0 })
    }
    all.push(owned)
  }
  return all
}

/** What several threads own. */
export function ownedByAll(threads: readonly (readonly OwnedCounts[])[]): OwnedCounts[] {
  const byDimension = new Map<string, OwnedCounts>()
  for (const owned of threads.flat()) {
    const before = byDimension.get(owned.dimension)
    byDimension.set(owned.dimension, before === undefined ? owned : together(before, owned))
  }
  return [...byDimension.values()]
}

function together(one: OwnedCounts, other: OwnedCounts): OwnedCounts {
  const counts = [...one.counts, ...other.counts].sort((a, b) => b.count - a.count)
  const told = counts.slice(0, mostSeries)
  const leftOut = one.leftOut + other.leftOut + counts.length - told.length
  return { dimension: one.dimension, counts: told, leftOut }
}

/** Of an encoded `LoginCounter`: the version, then the count. */
function countIn(state: Buffer): number {
  const reader = new ByteReader(state)
  reader.readUInt8()
  return reader.readUVarint()
}
