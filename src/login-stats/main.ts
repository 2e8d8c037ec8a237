import { systemClock } from '../system/clock.ts'
import { environment } from '../system/environment.ts'
import { createLogger } from '../system/logger.ts'
import { keepAlive, onTermination } from '../system/process.ts'
import { systemRandom } from '../system/random.ts'
import { exitCodes } from './commands/exit-codes.ts'
import { runProgram } from './commands/program.ts'
import { version } from './version.ts'

const standardError = 2

// A reader that has seen enough, such as `head`, closes its end: nothing is left to be said to it.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

/** What still holds the process after its work is done is not waited for longer than this. */
const lingerMs = 5000

const release = keepAlive()
process.exitCode = await runProgram(
  process.argv.slice(2),
  {
    environment: environment(),
    out: process.stdout,
    err: process.stderr,
    clock: systemClock,
    random: systemRandom,
    createLog: ({ level }) => createLogger({ level, destination: standardError }),
    onTermination: (listener) => {
      let isAsked = false
      return onTermination((signal) => {
        // A second signal means that waiting is no longer wanted.
        if (isAsked) process.exit(exitCodes.interrupted)
        isAsked = true
        listener(signal)
      })
    },
  },
  version,
)
release()
// A call that hangs, e.g. on a dead disk, must not keep a stopped process from being started again.
systemClock.setTimer(lingerMs, () => process.exit())
