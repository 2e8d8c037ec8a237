import type { Following } from '../follow/followed-table.ts'
import { deadLettersOf } from '../follow/summary.ts'
import type { Insights } from '../http/api-schemas.ts'
import type { KeyedRow } from '../table/index.ts'

/** Values of each dimension whose share is told. */
const mostShares = 20
const totalKey = 'total'

/** What the table says, in few words. `now`: wall clock, ms. */
export async function insightsOf(
  { table, deadLetters, rate }: Following,
  { instance, now }: { readonly instance: string; readonly now: number },
): Promise<Insights> {
  const total = await table.get(totalKey)
  const logins = total?.count ?? 0
  const shareOf = ({ value, count }: KeyedRow) => ({ value, count, share: logins === 0 ? 0 : count / logins })
  const dimensions: Record<string, Insights['dimensions'][string]> = {}
  for (const [dimension, distinct] of table.keyCounts) {
    if (dimension === totalKey) continue
    const shares = (await table.top(dimension, mostShares)).map(shareOf)
    const [least] = (await table.least(dimension, 1)).map(shareOf)
    dimensions[dimension] = { distinct, shares, most_active: shares[0] ?? null, least_active: least ?? null }
  }
  return {
    generated_at: new Date(now).toISOString(),
    instance,
    as_of: total?.as_of ?? null,
    logins,
    rolling: { ...total?.rolling },
    rate_per_second: rate.perSecond,
    dimensions,
    dead_letters: deadLettersOf(deadLetters),
  }
}
