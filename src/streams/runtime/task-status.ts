import type { StreamTask } from '../task/stream-task.ts'
import type { TaskState } from '../task/task-state.ts'
import type { RestoreStatus } from './restore-watch.ts'

/** How a task stands; plain data, which threads tell each other. */
export interface TaskStatus {
  readonly task: string
  readonly state: TaskState | 'standby'
  /** Records behind the last stable offset, of the input or of a standby task's changelog; null while unknown. */
  readonly lag: number | null
  /** How long ago the last processed record was appended, while there is a lag; null while unknown, and of a standby task. */
  readonly lagSeconds: number | null
  readonly isCaughtUp: boolean
  readonly restore: RestoreStatus | null
  /** Of a running task with a store, else null. */
  readonly storeEntries: number | null
  readonly uncommittedBytes: number
}

/** `now`: wall clock, ms. */
export function statusOf(task: StreamTask, restore: RestoreStatus | null, now: number): TaskStatus {
  const { id, state, lag, isCaughtUp, uncommittedBytes } = task
  const storeEntries = task.committedStore?.entryCount ?? null
  return {
    ...{ task: id, state, lag, lagSeconds: lagSeconds(task, now) },
    ...{ isCaughtUp, restore, storeEntries, uncommittedBytes },
  }
}

function lagSeconds({ lag, ages }: StreamTask, now: number): number | null {
  if (lag === null || lag === 0) return lag
  return ages.newest === null ? null : Math.max(0, now - ages.newest) / 1000
}

export function standbyStatus(task: string, lag: number | null): TaskStatus {
  return {
    ...{ task, state: 'standby', lag, lagSeconds: null, isCaughtUp: lag === 0 },
    ...{ restore: null, storeEntries: null, uncommittedBytes: 0 },
  }
}
