import { runProgram } from '../../src/login-stats/commands/program.ts'
import { StopRequest } from '../../src/login-stats/stop-request.ts'
import { systemClock } from '../../src/system/clock.ts'
import { createLogger } from '../../src/system/logger.ts'
import { systemRandom } from '../../src/system/random.ts'
import type { CommandResult } from './command.ts'

/** Runs a command of the program in this process: for tests with many runs, each of which would wait for Node to start. */
export async function runHere(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  stop: StopRequest = new StopRequest(),
): Promise<CommandResult> {
  const text = { out: '', err: '' }
  const into = (name: 'out' | 'err') => ({
    write: (part: string | Uint8Array) => {
      text[name] += part.toString()
    },
    drained: async () => undefined,
    isGone: false,
  })
  const exitCode = await runProgram(
    args,
    {
      environment,
      out: into('out'),
      err: into('err'),
      clock: systemClock,
      random: systemRandom,
      createLog: () => createLogger({ level: 'silent' }),
      stop,
    },
    'test',
  )
  return { exitCode, ...text }
}
