/** The command line: finds the command, runs it, and turns what happens into an exit code. */
import { Command, CommanderError } from 'commander'
import { commandList } from './command-list.ts'
import type { CommandContext, CommandFactory } from './context.ts'
import { reportError } from './error-report.ts'
import { exitCodes } from './exit-codes.ts'

const exitCodeHelp = `
Settings are environment variables; "login-stats config" prints them.
Exit codes: 0 all well, 1 failed, 2 wrong command line or settings, 3 and 4 see "login-stats verify --help",
130 and 143 ended by SIGINT (Ctrl-C) or SIGTERM before it was done`

/** `args` without the program's own name. Resolves with the exit code; never rejects. */
export async function runProgram(
  args: readonly string[],
  context: CommandContext,
  version: string,
  commands: readonly CommandFactory[] = commandList,
): Promise<number> {
  let exitCode: number = exitCodes.ok
  const finish = (code: number): void => {
    exitCode = code
  }
  const program = new Command('login-stats')
    .description('Exact rolling login counts from Kafka')
    .version(version)
    .addHelpText('after', exitCodeHelp)
    .showHelpAfterError('(--help shows what there is)')
  for (const factory of commands) program.addCommand(factory({ context, finish }))
  prepare(program, context)
  try {
    await program.parseAsync(args, { from: 'user' })
    await context.out.drained()
    return exitCode
  } catch (error) {
    // Commander has printed its own message already. Help and version, if asked for, end this way too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    return reportError(context, error)
  } finally {
    // Of a failure too, all that was printed is to be read. Nothing can be said where standard error itself fails.
    await Promise.allSettled([context.out.drained(), context.err.drained()])
  }
}

/** No command may end the process or print past the context. */
function prepare(command: Command, context: CommandContext): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => context.out.write(text),
    writeErr: (text) => context.err.write(text),
    getOutHelpWidth: () => context.out.columns ?? 100,
    getErrHelpWidth: () => context.err.columns ?? 100,
  })
  for (const child of command.commands) prepare(child, context)
}
