import type { DeadLetters, Summary } from '../http/api-schemas.ts'
import type { DeadLetterCounts } from './dead-letter-counts.ts'
import type { Following } from './followed-table.ts'

const totalKey = 'total'

export interface SummaryOptions {
  /** Rows of each dimension at either end. */
  readonly limit: number
  /** The rows with the most in this window; in all if null. */
  readonly window: string | null
  /** In this order; others, which are not counted any more, come after them. */
  readonly dimensions: readonly string[]
}

/** The table at a glance. */
export async function summaryOf(
  { table, deadLetters, rate }: Following,
  { limit, window, dimensions: order }: SummaryOptions,
): Promise<Summary> {
  const total = await table.get(totalKey)
  const dimensions = []
  const found = [...table.keyCounts.keys()].filter((dimension) => dimension !== totalKey)
  const known = order.filter((dimension) => found.includes(dimension))
  for (const dimension of [...known, ...found.filter((one) => !order.includes(one))]) {
    dimensions.push({
      dimension,
      key_count: table.keyCounts.get(dimension) ?? 0,
      top: await table.top(dimension, limit, window ?? undefined),
      least: await table.least(dimension, limit, window ?? undefined),
    })
  }
  const newest = [total, ...dimensions.flatMap(({ top }) => top)].map((row) => row?.as_of ?? '')
  const asOf = newest.reduce((a, b) => (a > b ? a : b), '')
  return {
    as_of: asOf === '' ? null : asOf,
    age_ms: table.ageMs,
    is_complete: table.isComplete,
    total,
    rate_per_second: rate.perSecond,
    windows: Object.keys(total?.rolling ?? {}),
    dimensions,
    dead_letters: deadLettersOf(deadLetters),
  }
}

/** Null where there is no topic for them, or it has not been read yet. */
export function deadLettersOf(counts: DeadLetterCounts | null): DeadLetters | null {
  if (counts === null || !counts.isComplete) return null
  return { count: counts.count, by_code: Object.fromEntries(counts.byCode) }
}
