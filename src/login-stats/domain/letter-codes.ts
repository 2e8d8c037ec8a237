import { errorTable } from '../../errors.ts'

/** The codes that dead letters have, in the order of the table of errors. */
export const letterCodes: readonly string[] = Object.entries(errorTable)
  .filter(([, { behaviour }]) => behaviour === 'skip')
  .map(([code]) => code)
