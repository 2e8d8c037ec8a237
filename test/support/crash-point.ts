/**
 * On demand something happens to the process at a numbered step of a commit or a take-over:
 *
 *   CRASH_AT_STEP   the step after which it happens, such as `commit:3` or `take-over:2`
 *   CRASH_TASK      a prefix of the id of the task that must have got there, such as `1_`
 *   CRASH_ROUND     how many times it must have got there, in this thread; 1 by default
 *   CRASH_SIGNAL    SIGKILL by default; with SIGSTOP it stands still there; THROW is an error in this thread that nobody catches
 *   CRASH_MARK      a file that is made then; where it is there, nothing happens
 */
import { existsSync, writeFileSync } from 'node:fs'
import type { Log } from '../../src/ports/log.ts'
import type { EngineObserver } from '../../src/streams/index.ts'

export function crashPoint(log: Log): EngineObserver {
  const {
    CRASH_AT_STEP,
    CRASH_TASK = '',
    CRASH_ROUND = '1',
    CRASH_SIGNAL = 'SIGKILL',
    CRASH_MARK,
  } = process.env
  if (CRASH_AT_STEP === undefined) return {}
  let roundsLeft = Number(CRASH_ROUND)
  function reached(task: string, step: string): void {
    if (step !== CRASH_AT_STEP || !task.startsWith(CRASH_TASK)) return
    roundsLeft -= 1
    if (roundsLeft !== 0 || (CRASH_MARK !== undefined && existsSync(CRASH_MARK))) return
    log.info({ task, step, signal: CRASH_SIGNAL }, 'Crash point reached')
    if (CRASH_MARK !== undefined) writeFileSync(CRASH_MARK, '')
    if (CRASH_SIGNAL !== 'THROW') process.kill(process.pid, CRASH_SIGNAL)
    else
      setImmediate(() => {
        throw new Error('planted')
      })
  }
  return {
    takeOverStep: (task, step) => reached(task, `take-over:${step}`),
    commitStep: (task, step) => reached(task, `commit:${step}`),
  }
}
