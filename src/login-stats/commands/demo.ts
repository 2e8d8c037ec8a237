import { Command } from 'commander'
import type { CommandContext, CommandFactory } from './context.ts'
import { share, wholeNumber } from './option-values.ts'

export interface DemoOptions {
  /** Logins a second. */
  readonly rate: number
  readonly invalid: number
  readonly partitions: number
  readonly seed: number
}

interface DemoModule {
  /** Resolves with the exit code, when everything that it started has ended. */
  demo(context: CommandContext, options: DemoOptions): Promise<number>
}

/** `load` imports the module of the demo, when it is asked for. */
export function demoCommand(load: () => Promise<DemoModule>): CommandFactory {
  return ({ context, finish }) =>
    new Command('demo')
      .description('A local Kafka, topics, generated logins, the processor and the table, until Ctrl-C')
      .option('--rate <number>', 'logins a second', wholeNumber(1, 10_000_000), 1000)
      .option('--invalid <share>', 'share of invalid records, like 0.02 or 2%', share, 0.02)
      .option('--partitions <number>', 'partitions of the input', wholeNumber(1, 10_000), 4)
      .option('--seed <number>', 'of the generated logins', wholeNumber(0, 2 ** 32 - 1), 1)
      .action(async (options: DemoOptions) => {
        const { demo } = await load()
        finish(await demo(context, options))
      })
}
