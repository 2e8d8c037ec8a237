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
  const [{ plainTable }, { default: pc }] = await Promise.all([
    import('../plain-table.ts'),
    import('picocolors'),
  ])
  const colours = pc.createColors(hasColours(context))
  const cells = rows.map(({ variable, value, from }) => [
    variable,
    value === '' ? colours.dim('-') : value,
    from,
  ])
  context.out.write(`${plainTable(['Setting', 'Value', 'From'], cells)}\n`)
}
