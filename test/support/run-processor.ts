/** A processor in a process of its own, as the tests run it: `run` as users have it, and the crash points of `crash-point.ts`. */
import { coded } from '../../src/errors.ts'
import { loadConfig } from '../../src/login-stats/config/index.ts'
import { run } from '../../src/login-stats/run.ts'
import { StopRequest } from '../../src/login-stats/stop-request.ts'
import { environment } from '../../src/system/environment.ts'
import { createLogger } from '../../src/system/logger.ts'
import { crashPoint } from './crash-point.ts'

const config = loadConfig(environment())
const logTo = { level: config.logLevel }
const log = createLogger(logTo)
try {
  const threadModule = new URL('./run-processor-thread.ts', import.meta.url)
  await run({ config, logTo, observer: crashPoint(log), threadModule }, StopRequest.bySignals())
} catch (error) {
  const fault = coded(error, 'run')
  log.error({ code: fault.code }, fault.message)
  process.exitCode = 1
}
