import { Command } from 'commander'
import type { Log } from '../../ports/log.ts'
import type { Config } from '../config/index.ts'
import type { CommandFactory } from './context.ts'
import { exitCodes } from './exit-codes.ts'

interface RunModule {
  /** Resolves when the processor has stopped cleanly. */
  run(config: Config, log: Log): Promise<void>
}

/** `load` imports the module that runs the processor, when it is asked for. */
export function runCommand(load: () => Promise<RunModule>): CommandFactory {
  return ({ context, finish }) =>
    new Command('run')
      .description('Run the processor until SIGTERM or SIGINT; it logs JSON lines on standard output')
      .action(async () => {
        const [{ loadConfig }, { run }] = await Promise.all([import('../config/index.ts'), load()])
        const config = loadConfig(context.environment)
        await run(config, context.createLog({ level: config.logLevel, to: 'out' }))
        finish(exitCodes.ok)
      })
}
