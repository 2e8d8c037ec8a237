import { defaultMaxRowsInMemory } from './table/login-stats-table.ts'

/** How much an instance takes upon itself for those who ask it over HTTP. What reaches a limit is told so; the counts never wait for it. */
export interface Limits {
  /** Clients that follow the stream of events at once. */
  readonly streamClients: number
  /** More rows than this that change between two events of one client are not sent one by one: it is told to ask again. */
  readonly changedRows: number
  /** Looks at all rows of the table at once. */
  readonly scans: number
  /** Questions that wait for their look. */
  readonly waitingScans: number
  /** More rows of the followed table than this are on disk. A row takes about 1 KB in memory. */
  readonly rowsInMemory: number
  /** The table is followed no longer than this after the last question, in ms. */
  readonly idleMs: number
}

export const defaultLimits: Limits = {
  streamClients: 100,
  changedRows: 5000,
  scans: 2,
  waitingScans: 16,
  rowsInMemory: defaultMaxRowsInMemory,
  idleMs: 5 * 60_000,
}
