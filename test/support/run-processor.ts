/**
 * A processor in a process of its own, as the tests run it: `run` as users have it, and on demand a signal to itself at a
 * numbered step of a commit or a take-over.
 *
 *   CRASH_AT_STEP   the step after which to die, such as `commit:3` or `take-over:2`
 *   CRASH_TASK      a prefix of the id of the task that must have got there, such as `1_`
 *   CRASH_ROUND     how many times it must have got there; 1 by default
 *   CRASH_SIGNAL    SIGKILL by default; with SIGSTOP it stands still there
 */

import { coded } from '../../src/errors.ts'
import { loadConfig } from '../../src/login-stats/config/index.ts'
import { run } from '../../src/login-stats/run.ts'
import type { EngineObserver } from '../../src/streams/index.ts'
import { environment } from '../../src/system/environment.ts'
import { createLogger } from '../../src/system/logger.ts'

const { CRASH_AT_STEP, CRASH_TASK = '', CRASH_ROUND = '1', CRASH_SIGNAL = 'SIGKILL' } = process.env

const config = loadConfig(environment())
const log = createLogger({ level: config.logLevel })

let roundsLeft = Number(CRASH_ROUND)
function reached(task: string, step: string): void {
  if (step !== CRASH_AT_STEP || !task.startsWith(CRASH_TASK)) return
  roundsLeft -= 1
  if (roundsLeft !== 0) return
  log.info({ task, step, signal: CRASH_SIGNAL }, 'Crash point reached')
  process.kill(process.pid, CRASH_SIGNAL)
}
const observer: EngineObserver =
  CRASH_AT_STEP === undefined
    ? {}
    : {
        takeOverStep: (task, step) => reached(task, `take-over:${step}`),
        commitStep: (task, step) => reached(task, `commit:${step}`),
      }

try {
  await run(config, log, { ...observer })
} catch (error) {
  const fault = coded(error, 'run')
  log.error({ code: fault.code }, fault.message)
  process.exitCode = 1
}
