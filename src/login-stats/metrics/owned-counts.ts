/**
 * The counts of the rows whose tasks run here, as the stores have committed them: the metrics that dashboards of earlier systems for
 * this job use. Each key has one owner, so that a sum over all instances is right.
 */
import { ByteReader } from '../../bytes/varint.ts'
import { type Streams, stateOfEntry } from '../../streams/index.ts'
import { dimensionOf, TOTAL_KEY } from '../domain/dimensions.ts'

export interface OwnedCount {
  readonly dimension: string
  readonly value: string
  readonly count: number
}

/** More values of one dimension would be more series than a monitoring system likes. */
export const mostSeries = 1000

/** Of the total, and of each dimension the first values in the order of their keys. */
export async function ownedCounts(streams: Streams, dimensions: readonly string[]): Promise<OwnedCount[]> {
  const ranges = [
    { gte: Buffer.from(TOTAL_KEY), lt: Buffer.from(`${TOTAL_KEY}\0`) },
    // A semicolon follows the colon in ASCII.
    ...dimensions.map((name) => ({ gte: Buffer.from(`${name}:`), lt: Buffer.from(`${name};`) })),
  ]
  const counts: OwnedCount[] = []
  for (const range of ranges) {
    for (const { entries } of await streams.query({ ...range, limit: mostSeries })) {
      for (const [key, entry] of entries) {
        counts.push({ ...dimensionOf(key.toString()), count: countIn(stateOfEntry(entry)) })
      }
    }
  }
  return counts
}

/** Of an encoded `LoginCounter`: the version, then the count. */
function countIn(state: Buffer): number {
  const reader = new ByteReader(state)
  reader.readUInt8()
  return reader.readUVarint()
}
