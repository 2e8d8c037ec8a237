import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import { TOTAL_KEY } from '../domain/dimensions.ts'
import type { LoginStatsTable } from '../table/index.ts'

/** How much an answer can be relied on. */
export interface Freshness {
  readonly as_of: string | null
  readonly age_ms: number | null
  readonly is_complete: boolean
}

/**
 * Runs `read` on a table, and says how old what it has read is: as of before it began, for reading may take a while. Throws TABLE_NOT_READ
 * where the table was complete when the reading began and has been started over meanwhile.
 */
export async function readFresh<T extends object>(
  table: LoginStatsTable,
  clock: Clock,
  read: () => Promise<T>,
): Promise<T & Freshness> {
  const { currentAt, isComplete } = table
  const restarts = table.restarts
  const total = await table.get(TOTAL_KEY)
  const answer = await read()
  if (isComplete && table.restarts !== restarts) {
    throw new CodedError('TABLE_NOT_READ', { operation: 'read the table' })
  }
  const ageMs = currentAt === null ? null : Math.max(0, Math.ceil(clock.monotonic() - currentAt))
  return { as_of: total?.as_of ?? null, age_ms: ageMs, is_complete: isComplete, ...answer }
}
