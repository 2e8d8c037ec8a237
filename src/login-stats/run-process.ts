import { systemClock } from '../system/clock.ts'
import { environment } from '../system/environment.ts'
import { createLogger } from '../system/logger.ts'
import { endNow, keepAlive } from '../system/process.ts'
import { systemRandom } from '../system/random.ts'
import { StandardStream } from '../system/standard-stream.ts'
import { runProgram } from './commands/program.ts'
import type { StopRequest } from './stop-request.ts'
import { version } from './version.ts'

const standardError = 2

/** What still holds the process after its work is done is not waited for longer than this. */
const lingerMs = 5000

/** The program in this process, with its arguments and environment. Resolves when its work is done; the exit code is then set. */
export async function runProcess(stop: StopRequest): Promise<void> {
  const release = keepAlive()
  const exitCode = await runProgram(
    process.argv.slice(2),
    {
      environment: environment(),
      out: new StandardStream(process.stdout, 'standard output'),
      err: new StandardStream(process.stderr, 'standard error'),
      clock: systemClock,
      random: systemRandom,
      createLog: ({ level }) => createLogger({ level, destination: standardError }),
      stop,
    },
    version,
  )
  process.exitCode = exitCode
  release()
  // A call that hangs, e.g. on a dead disk, must not keep a stopped process from being started again.
  systemClock.setTimer(lingerMs, () => endNow(exitCode))
}
