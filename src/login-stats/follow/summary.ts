import type { Clock } from '../../ports/clock.ts'
import { TOTAL_KEY } from '../domain/dimensions.ts'
import type { DeadLetters, Summary } from '../http/api-schemas.ts'
import type { LoginStatsTable } from '../table/index.ts'
import type { DeadLetterCounts } from './dead-letter-counts.ts'
import type { Following } from './followed-table.ts'
import { readFresh } from './freshness.ts'

export interface SummaryOptions {
  /** Rows of each dimension at either end. */
  readonly limit: number
  /** The rows with the most in this window; in all if null. */
  readonly window: string | null
}

/** So long a summary serves all who ask for the same; one that took long to make serves longer. */
const sharedMs = 500
const mostKept = 20

interface Kept {
  readonly of: Following
  readonly summary: Promise<Summary>
  servesUntil: number
}

/** The table at a glance, made once for all who ask at about the same time: it looks at each row. */
export class Summaries {
  readonly #clock: Clock
  readonly #dimensions: readonly string[]
  readonly #kept = new Map<string, Kept>()

  /** `dimensions`: in this order; others, which are not counted any more, come after them. */
  constructor(clock: Clock, dimensions: readonly string[]) {
    this.#clock = clock
    this.#dimensions = dimensions
  }

  async of(following: Following, options: SummaryOptions): Promise<Summary> {
    const name = `${options.limit} ${options.window ?? ''}`
    const kept = this.#kept.get(name)
    if (kept !== undefined && kept.of === following && this.#clock.monotonic() < kept.servesUntil) {
      return await kept.summary
    }
    if (this.#kept.size >= mostKept) this.#kept.clear()
    const made: Kept = {
      of: following,
      summary: this.#make(following, options),
      servesUntil: Number.POSITIVE_INFINITY,
    }
    this.#kept.set(name, made)
    const startedAt = this.#clock.monotonic()
    try {
      return await made.summary
    } finally {
      const now = this.#clock.monotonic()
      made.servesUntil = now + Math.max(sharedMs, now - startedAt)
    }
  }

  async #make({ table, deadLetters, rate }: Following, options: SummaryOptions): Promise<Summary> {
    return await readFresh(table, this.#clock, async () => {
      const total = await table.get(TOTAL_KEY)
      return {
        total,
        rate_per_second: rate.perSecond,
        windows: Object.keys(total?.rolling ?? {}),
        dimensions: await this.#ends(table, options),
        dead_letters: deadLettersOf(deadLetters),
      }
    })
  }

  async #ends(table: LoginStatsTable, { limit, window }: SummaryOptions): Promise<Summary['dimensions']> {
    const found = [...table.keyCounts.keys()].filter((dimension) => dimension !== TOTAL_KEY)
    const known = this.#dimensions.filter((dimension) => found.includes(dimension))
    const others = found.filter((dimension) => !this.#dimensions.includes(dimension))
    const ends: Summary['dimensions'] = []
    for (const dimension of [...known, ...others]) {
      ends.push({
        dimension,
        key_count: table.keyCounts.get(dimension) ?? 0,
        ...(await table.ends(dimension, limit, window ?? undefined)),
      })
    }
    return ends
  }
}

/** Null where there is no topic for them, or it has not been read yet. */
export function deadLettersOf(counts: DeadLetterCounts | null): DeadLetters | null {
  if (counts === null || !counts.isComplete) return null
  return { count: counts.count, by_code: Object.fromEntries(counts.byCode) }
}
