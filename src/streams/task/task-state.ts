import { CodedError } from '../../errors.ts'

/**
 * The lifecycle of a task.
 *
 *     created --> restoring --> running --> closed
 *                  ^    |         |  |        ^
 *                  |    |         |  +--------+
 *                  |    +---------|-----------+
 *                  +--------------+
 *                 an abort: back to the committed state
 */
export type TaskState = 'created' | 'restoring' | 'running' | 'closed'

const allowed: Readonly<Record<TaskState, readonly TaskState[]>> = {
  created: ['restoring', 'closed'],
  restoring: ['restoring', 'running', 'closed'],
  running: ['restoring', 'closed'],
  closed: [],
}

/** `to`, if the table allows it. Throws INTERNAL. */
export function transition(task: string, from: TaskState, to: TaskState): TaskState {
  if (allowed[from].includes(to)) return to
  throw new CodedError('INTERNAL', {
    operation: 'change the state of a task',
    task,
    detail: `No way leads from ${from} to ${to}.`,
  })
}
