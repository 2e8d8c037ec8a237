import type { ErrorCode } from '../../errors.ts'

/** Told by the processors what they have read and counted. What is told becomes a fact with the task's next commit, or is dropped. */
export interface LoginMeter {
  of(taskId: string): TaskMeter
}

export interface TaskMeter {
  /** So many valid logins have been read. */
  counted(logins: number): void
  invalid(code: ErrorCode): void
  /** So many logins were too old for a rolling window, by its name, when they were counted. */
  late(window: string, logins: number): void
}

/** For whoever does not measure. */
export const noMeter: LoginMeter = {
  of: () => ({ counted: () => undefined, invalid: () => undefined, late: () => undefined }),
}
