import { CodedError } from '../errors.ts'

/** The one way in which this module fails. */
export function unavailable(operation: string, detail: string, hint?: string, cause?: unknown): CodedError {
  return new CodedError('LOCAL_KAFKA_UNAVAILABLE', {
    operation,
    detail,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  })
}
