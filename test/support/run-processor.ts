/**
 * A processor in a process of its own, as the tests run it: `run` as users have it, and on demand a kill -9 of itself at a
 * numbered point of a commit.
 *
 *   CRASH_AT_STEP   the step (1 to 5) after which to die
 *   CRASH_TASK      a prefix of the id of the task that must have got there, such as `1_`
 *   CRASH_ROUND     how many times it must have got there; 1 by default
 */

import { coded } from '../../src/errors.ts'
import { loadConfig } from '../../src/login-stats/config/index.ts'
import { run } from '../../src/login-stats/run.ts'
import type { EngineObserver } from '../../src/streams/index.ts'
import { environment } from '../../src/system/environment.ts'
import { createLogger } from '../../src/system/logger.ts'

const { CRASH_AT_STEP, CRASH_TASK = '', CRASH_ROUND = '1' } = process.env

let roundsLeft = Number(CRASH_ROUND)
const observer: EngineObserver =
  CRASH_AT_STEP === undefined
    ? {}
    : {
        commitStep: (task, step) => {
          if (step !== Number(CRASH_AT_STEP) || !task.startsWith(CRASH_TASK)) return
          roundsLeft -= 1
          if (roundsLeft === 0) process.kill(process.pid, 'SIGKILL')
        },
      }

const config = loadConfig(environment())
const log = createLogger({ level: config.logLevel })
try {
  await run(config, log, { ...observer })
} catch (error) {
  const fault = coded(error, 'run')
  log.error({ code: fault.code }, fault.message)
  process.exitCode = 1
}
