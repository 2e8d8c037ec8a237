import { Command } from 'commander'
import type { SettingRow } from '../config/index.ts'
import { type CommandContext, hasColours, type Invocation, printJson } from './context.ts'
import { exitCodes } from './exit-codes.ts'

export function configCommand({ context, finish }: Invocation): Command {
  return new Command('config')
    .description('Print the effective settings, and where each came from; secrets are hidden')
    .option('--json', 'as a JSON array')
    .action(async ({ json }: { json?: true }) => {
      const { describeConfig, loadConfig } = await import('../config/index.ts')
      const rows = describeConfig(loadConfig(context.environment))
      if (json) printJson(context, rows)
      else await printRows(context, rows)
      finish(exitCodes.ok)
    })
}

async function printRows(context: CommandContext, rows: readonly SettingRow[]): Promise<void> {
  const [{ default: Table }, { default: pc }] = await Promise.all([
    import('cli-table3'),
    import('picocolors'),
  ])
  const colours = pc.createColors(hasColours(context))
  const table = new Table({
    head: ['Setting', 'Value', 'From'],
    chars: bare,
    style: { head: [], border: [] },
  })
  for (const { variable, value, from } of rows) {
    table.push([variable, value === '' ? colours.dim('-') : value, from])
  }
  context.out.write(`${table.toString()}\n`)
}

/** No lines, two blanks between columns. */
const bare = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '' },
}
