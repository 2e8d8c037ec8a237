import { errorSchema } from './api-schemas.ts'

/** What any route may answer, as its description has it. */
export const failures = {
  405: errorSchema.describe('METHOD_NOT_ALLOWED: to other methods than GET and HEAD.'),
  421: errorSchema.describe(
    'MISDIRECTED: the server listens on the loopback address alone, and another host was asked for.',
  ),
  500: errorSchema.describe('A failure that does not pass; docs/ERRORS.md has its code.'),
  503: errorSchema.describe('NOT_STARTED: the process is starting; ask again after Retry-After.'),
} as const

/** As well as NOT_STARTED, what else passes. */
export function passing(which: string): typeof errorSchema {
  return errorSchema.describe(
    `Not now; ask again after Retry-After. NOT_STARTED: the process is starting. ${which}`,
  )
}
