import { Command } from 'commander'
import type { ProcessorOptions } from '../processor.ts'
import type { StopRequest } from '../stop-request.ts'
import type { CommandFactory } from './context.ts'
import { exitCodes } from './exit-codes.ts'

interface RunModule {
  /** Resolves when the processor has stopped cleanly. */
  run(options: ProcessorOptions, stop: StopRequest): Promise<void>
}

/** `load` imports the module that runs the processor, when it is asked for. */
export function runCommand(load: () => Promise<RunModule>): CommandFactory {
  return ({ context, finish }) =>
    new Command('run')
      .description('Run the processor until SIGTERM or SIGINT; it logs JSON lines on standard output')
      .action(async () => {
        const [{ loadConfig }, { run }] = await Promise.all([import('../config/index.ts'), load()])
        const config = loadConfig(context.environment)
        await run({ config, logTo: { level: config.logLevel } }, context.stop)
        finish(exitCodes.ok)
      })
}
