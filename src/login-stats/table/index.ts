/** The table for other programs: `import { LoginStatsTable } from 'login-stats/table'`. */
export { CodedError } from '../../errors.ts'
export type { Log } from '../../ports/log.ts'
export type { TableLog } from './log.ts'
export {
  LoginStatsTable,
  type OpenTableOptions,
  type TableEvents,
} from './login-stats-table.ts'
export type { RowOrder } from './row-order.ts'
export type { KeyedRow, RowChange } from './rows.ts'
