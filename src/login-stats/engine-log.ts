import type { Log } from '../ports/log.ts'
import type { EngineObserver, RestoreProgress } from '../streams/index.ts'
import { systemClock } from '../system/clock.ts'

/** A long restore says how far it is this often. */
const progressIntervalMs = 2000

/** What the engine does, as log lines. */
export function logging(log: Log): EngineObserver {
  const toldAt = new Map<string, number>()
  return {
    taskChanged: (task, state) => log.debug({ task, state }, 'Task changed'),
    committed: (task, { durationMs, records, caughtUp }) =>
      log.debug({ task, durationMs: Math.round(durationMs * 10) / 10, records, caughtUp }, 'Committed'),
    restored: (task, { restoredRecords, durationMs }) => {
      toldAt.delete(task)
      log.info({ task, restoredRecords, durationMs: Math.round(durationMs) }, 'Store restored')
    },
    restoring: (progress) => {
      const now = systemClock.monotonic()
      const before = toldAt.get(progress.taskId) ?? now
      toldAt.set(progress.taskId, before)
      if (now - before < progressIntervalMs) return
      toldAt.set(progress.taskId, now)
      log.info(restoreFields(progress), 'Restoring')
    },
  }
}

function restoreFields({ taskId, from, position, end, restoredRecords }: RestoreProgress): object {
  const percent = Math.floor((100 * (position - from)) / Math.max(1, end - from))
  return { task: taskId, position, end, percent, restoredRecords }
}
