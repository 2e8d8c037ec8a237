/**
 * Why a request is refused whatever the process knows: what is wrong is the request. Failures of the process have the codes of
 * `errors.ts`. docs/ERRORS.md has both.
 */
import type { ErrorCode } from '../../errors.ts'

export const requestProblems = {
  BAD_REQUEST: {
    status: 400,
    meaning: 'A parameter is wrong, or the request is no HTTP; the message says which.',
  },
  NOT_FOUND: { status: 404, meaning: 'There is no such row, or no such resource.' },
  METHOD_NOT_ALLOWED: { status: 405, meaning: 'The server is read only: GET and HEAD.' },
  MISDIRECTED: {
    status: 421,
    meaning: 'The server listens on the loopback address alone, and the request names another host.',
  },
} as const

export type RequestProblem = keyof typeof requestProblems

export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string }
}

/** What every failure is answered with. */
export function errorBody(code: RequestProblem | ErrorCode, message: string): ErrorBody {
  return { error: { code, message } }
}
