import type { Clock } from '../../ports/clock.ts'
import { TOTAL_KEY } from '../domain/dimensions.ts'
import type { Following } from '../follow/followed-table.ts'
import { readFresh } from '../follow/freshness.ts'
import { deadLettersOf } from '../follow/summary.ts'
import type { Insights } from '../http/api-schemas.ts'
import type { KeyedRow } from '../table/index.ts'

/** Values of each dimension whose share is told. */
const mostShares = 20

/** What the table says, in few words. */
export async function insightsOf(
  { table, deadLetters, rate }: Following,
  clock: Clock,
  instance: string,
): Promise<Insights> {
  const { is_complete: _, ...insights } = await readFresh(table, clock, async (total) => {
    const dimensions: Record<string, Insights['dimensions'][string]> = {}
    for (const [dimension, distinct] of table.keyCounts) {
      if (dimension === TOTAL_KEY) continue
      const { top, least, sum } = await table.ends(dimension, mostShares)
      // Not of the total: another task counts it, and may be behind those that count the values, or before them.
      const shareOf = ({ value, count }: KeyedRow) => ({ value, count, share: sum === 0 ? 0 : count / sum })
      const shares = top.map(shareOf)
      const [last] = least.map(shareOf)
      dimensions[dimension] = {
        ...{ distinct, shares },
        most_active: shares[0] ?? null,
        least_active: last ?? null,
      }
    }
    return {
      ...{ logins: total?.count ?? 0, rolling: { ...total?.rolling }, dimensions },
      rate_per_second: rate.perSecond,
      dead_letters: deadLettersOf(deadLetters),
    }
  })
  return { generated_at: new Date(clock.now()).toISOString(), instance, ...insights }
}
