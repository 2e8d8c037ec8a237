import type { Following } from '../follow/followed-table.ts'
import type { SummaryOptions } from '../follow/summary.ts'
import type { Health, Insights, Summary, Tasks } from './api-schemas.ts'
import type { CountedNames } from './known-names.ts'

/** What the routes answer with. All of it throws a CodedError where it cannot be told now. */
export interface Answers {
  readonly counted: CountedNames
  /** The table, once it is complete. */
  complete(): Promise<Following>
  /** The table as it is. */
  begin(): Promise<Following>
  summary(following: Following, options: SummaryOptions): Promise<Summary>
  /** Keeps following the table until the returned function is called. */
  hold(): () => void
  tasks(): Promise<Tasks>
  /** What this instance tells the others. */
  report(): Promise<object>
  insights(): Promise<Insights>
  readiness(): Health
}
