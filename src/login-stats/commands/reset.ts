import { Command } from 'commander'
import { counted } from '../format.ts'
import type { ResetReport } from '../reset.ts'
import { type Invocation, printJson } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { waitForKafka } from './session.ts'

interface Options {
  readonly keepTable?: true
  readonly json?: true
}

export function resetCommand({ context, finish }: Invocation): Command {
  return new Command('reset')
    .description('Start over: delete offsets, internal topics and local state, and empty the table')
    .option('--keep-table', 'leave the rows of the table as they are')
    .option('--json', 'print what was done as JSON')
    .addHelpText('after', '\nRefuses while the consumer group has members.')
    .action(async ({ keepTable, json }: Options) => {
      const [{ loadConfig }, { reset }] = await Promise.all([
        import('../config/index.ts'),
        import('../reset.ts'),
      ])
      const config = loadConfig(context.environment)
      const log = context.createLog({ level: config.logLevel === 'debug' ? 'debug' : 'warn' })
      await waitForKafka(context, config)
      const onWaiting = (longestMs: number): void =>
        context.err.write(
          `Waiting for open transactions on ${config.outputTopic} to end, up to ${longestMs / 1000} s ...\n`,
        )
      const report = await reset(config, log, { keepTable: keepTable ?? false, onWaiting })
      if (json) printJson(context, report)
      else context.out.write(`${sentences(report).join('\n')}\n`)
      finish(exitCodes.ok)
    })
}

function sentences({ deletedGroup, deletedTopics, tombstones, deletedState }: ResetReport): string[] {
  return [
    `Deleted the offsets of the group ${deletedGroup}.`,
    deletedTopics.length === 0 ? 'There were no internal topics.' : `Deleted ${deletedTopics.join(' and ')}.`,
    tombstones === null ? 'Kept the table.' : `Emptied the table: ${counted(tombstones, 'row')}.`,
    `Deleted the local state in ${deletedState}.`,
    'The dead letters stay as they are; verify --no-dlq leaves them out.',
    'So does how far dlq replay has got: what it has written back is in the input, and counted again with it.',
  ]
}
