import type { Clock } from '../../ports/clock.ts'
import { type Dimension, inCountedOrder } from '../domain/dimensions.ts'
import type { DeadLetters, Summary } from '../http/api-schemas.ts'
import type { LoginStatsTable } from '../table/index.ts'
import type { DeadLetterCounts } from './dead-letter-counts.ts'
import type { Following } from './followed-table.ts'
import { type Dated, readDated, withAge } from './freshness.ts'

export interface SummaryOptions {
  /** Rows of each dimension at either end. */
  readonly limit: number
  /** The rows with the most in this window; in all if null. */
  readonly window: string | null
}

/** So long a summary serves all who ask for the same; one that took long to make serves longer. */
const sharedMs = 500
const mostKept = 20

type Content = Omit<Summary, 'as_of' | 'age_ms' | 'is_complete'>

interface Kept {
  readonly summary: Promise<Dated<Content>>
  servesUntil: number
}

/** The summaries of one table since it was last started over, by what was asked for. */
interface OfTable {
  readonly restarts: number
  readonly kept: Map<string, Kept>
}

/** The table at a glance, made once for all who ask at about the same time: it looks at each row. */
export class Summaries {
  readonly #clock: Clock
  readonly #dimensions: readonly Dimension[]
  readonly #ofTables = new WeakMap<LoginStatsTable, OfTable>()

  /** `dimensions`: in this order; others, which are not counted any more, come after them. */
  constructor(clock: Clock, dimensions: readonly Dimension[]) {
    this.#clock = clock
    this.#dimensions = dimensions
  }

  async of(following: Following, options: SummaryOptions): Promise<Summary> {
    return withAge(await this.#shared(following, options), this.#clock)
  }

  async #shared(following: Following, options: SummaryOptions): Promise<Dated<Content>> {
    const { kept, restarts } = this.#keptOf(following.table)
    const name = `${options.limit} ${options.window ?? ''}`
    const known = kept.get(name)
    if (known !== undefined && this.#clock.monotonic() < known.servesUntil) return await known.summary
    if (kept.size >= mostKept) kept.clear()
    const made: Kept = {
      summary: following.scans.run(`summary ${name} ${restarts}`, () => this.#make(following, options)),
      servesUntil: Number.POSITIVE_INFINITY,
    }
    kept.set(name, made)
    const startedAt = this.#clock.monotonic()
    try {
      return await made.summary
    } catch (error) {
      // The next one may succeed.
      made.servesUntil = Number.NEGATIVE_INFINITY
      throw error
    } finally {
      const now = this.#clock.monotonic()
      made.servesUntil = Math.min(made.servesUntil, now + Math.max(sharedMs, now - startedAt))
    }
  }

  /** A table that is started over has none of before. */
  #keptOf(table: LoginStatsTable): OfTable {
    const known = this.#ofTables.get(table)
    if (known?.restarts === table.restarts) return known
    const made: OfTable = { restarts: table.restarts, kept: new Map() }
    this.#ofTables.set(table, made)
    return made
  }

  async #make({ table, deadLetters, rate }: Following, options: SummaryOptions): Promise<Dated<Content>> {
    return await readDated(table, async (total) => ({
      failure: failureOf(table),
      total,
      rate_per_second: rate.perSecond,
      windows: Object.keys(total?.rolling ?? {}),
      dimensions: await this.#ends(table, options),
      dead_letters: deadLettersOf(deadLetters),
    }))
  }

  async #ends(table: LoginStatsTable, { limit, window }: SummaryOptions): Promise<Summary['dimensions']> {
    const ends: Summary['dimensions'] = []
    for (const dimension of inCountedOrder(table.keyCounts.keys(), this.#dimensions)) {
      ends.push({
        dimension,
        key_count: table.keyCounts.get(dimension) ?? 0,
        ...(await table.ends(dimension, limit, window ?? undefined)),
      })
    }
    return ends
  }
}

/** While the table is being read: that it is, and why that lasts; nothing of its rows. */
export function summaryWhileRead({ table, deadLetters }: Following): Summary {
  return {
    ...{ as_of: null, age_ms: null, is_complete: false, failure: failureOf(table) },
    ...{ total: null, rate_per_second: null, windows: [], dimensions: [] },
    dead_letters: deadLettersOf(deadLetters),
  }
}

function failureOf({ failure }: LoginStatsTable): Summary['failure'] {
  return failure === null ? null : { code: failure.code, message: failure.message }
}

/** Null where there is no topic for them, or it has not been read yet. */
export function deadLettersOf(counts: DeadLetterCounts | null): DeadLetters | null {
  if (counts === null || !counts.isComplete) return null
  return { count: counts.count, by_code: Object.fromEntries(counts.byCode) }
}
