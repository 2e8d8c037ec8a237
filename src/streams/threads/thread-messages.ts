/** What a process and its stream threads tell each other: copies of plain data. */
import { CodedError, type ErrorCode, type ErrorPlace } from '../../errors.ts'
import type { TaskStatus } from '../runtime/task-status.ts'

export type ToThread =
  | { readonly type: 'stop' }
  /** A question of the application's own, which the thread answers with the same id. */
  | { readonly type: 'ask'; readonly id: number; readonly question: unknown }

export type FromThread =
  | {
      readonly type: 'status'
      readonly tasks: readonly TaskStatus[]
      /** Of the whole application; null while unknown. */
      readonly taskCount: number | null
      readonly isAssigned: boolean
    }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  /** The last one: it has ended in order, or with an error that it has caught itself. */
  | { readonly type: 'ended'; readonly error: PlainError | null }

/** A CodedError without its causes, which the thread has logged. */
export interface PlainError extends ErrorPlace {
  readonly code: ErrorCode
  readonly operation: string
  readonly detail?: string
  readonly hint?: string
}

export function toPlain(error: CodedError): PlainError {
  const { cause: _, ...details } = error.details
  return { code: error.code, ...details }
}

export function fromPlain({ code, ...details }: PlainError): CodedError {
  return new CodedError(code, details)
}

/** A thread says so often how it stands. */
export const statusIntervalMs = 500
