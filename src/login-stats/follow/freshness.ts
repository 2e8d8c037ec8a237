import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import { TOTAL_KEY } from '../domain/dimensions.ts'
import type { KeyedRow, LoginStatsTable } from '../table/index.ts'

/** How much an answer can be relied on. */
export interface Freshness {
  readonly as_of: string | null
  readonly age_ms: number | null
  readonly is_complete: boolean
}

/** What was read, and at what moment on the monotonic clock it was all that had been committed; null where nobody knows. */
export interface Dated<T> {
  readonly currentAt: number | null
  readonly answer: T & Omit<Freshness, 'age_ms'>
}

/**
 * Runs `read` on a table, with the row of the total, and says how old what it has read is: as of before it began, for reading may take a
 * while. Whatever is told of the table is read by this: throws TABLE_NOT_READ where the table is not complete, or is started over meanwhile.
 */
export async function readFresh<T extends object>(
  table: LoginStatsTable,
  clock: Clock,
  read: (total: KeyedRow | null) => Promise<T>,
): Promise<T & Freshness> {
  return withAge(await readDated(table, read), clock)
}

/** The same for an answer that is kept: it grows older until it is given. */
export async function readDated<T extends object>(
  table: LoginStatsTable,
  read: (total: KeyedRow | null) => Promise<T>,
): Promise<Dated<T>> {
  const { currentAt, restarts } = table
  // Each look at the rows sees one table; together they must be of the same.
  const check = (): void => {
    if (table.isComplete && table.restarts === restarts) return
    const detail = table.failure?.message
    throw new CodedError('TABLE_NOT_READ', {
      operation: 'read the table',
      ...(detail === undefined ? {} : { detail }),
    })
  }
  check()
  try {
    const total = await table.get(TOTAL_KEY)
    const answer = await read(total)
    check()
    return { currentAt, answer: { as_of: total?.as_of ?? null, is_complete: true, ...answer } }
  } catch (error) {
    // That there is no such row is not known either, where the rows were taken away.
    check()
    throw error
  }
}

/** An answer as it is given now. */
export function withAge<T extends object>({ currentAt, answer }: Dated<T>, clock: Clock): T & Freshness {
  const ageMs = currentAt === null ? null : Math.max(0, Math.ceil(clock.monotonic() - currentAt))
  return { ...answer, age_ms: ageMs }
}
