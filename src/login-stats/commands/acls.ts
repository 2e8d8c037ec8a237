import { Command, InvalidArgumentError, Option } from 'commander'
import { type Acl, type AclCommand, aclCommands, aclsOf } from '../acls/acls.ts'
import type { Invocation } from './context.ts'
import { printJson } from './context.ts'
import { exitCodes } from './exit-codes.ts'

interface Options {
  readonly principal: string
  readonly command?: readonly AclCommand[]
  readonly format: 'kafka-acls' | 'json'
  readonly commandConfig?: string
}

export function aclsCommand({ context, finish }: Invocation): Command {
  return new Command('acls')
    .description('Print the access lists that the program needs under the effective settings, and no more')
    .requiredOption('--principal <principal>', 'whom they are for, like User:login-stats', principal)
    .addOption(
      new Option('--command <command>', 'only for this command; may be given more than once')
        .choices(aclCommands)
        .argParser(collect),
    )
    .addOption(
      new Option('--format <format>', "lines for Kafka's own kafka-acls.sh, or JSON")
        .choices(['kafka-acls', 'json'])
        .default('kafka-acls'),
    )
    .option(
      '--command-config <file>',
      'with this --command-config in each line, for kafka-acls.sh to connect with',
    )
    .addHelpText(
      'after',
      `
Commands: ${aclCommands.join(', ')}; all of them if none is named. "run" makes the topics that are missing; if "topics create" has
made them under another principal, it needs neither Create nor Alter. Who changes TRANSACTION_SCOPE needs the lines of both.`,
    )
    .action(async (options: Options) => {
      const { loadConfig } = await import('../config/index.ts')
      const config = loadConfig(context.environment)
      const acls = aclsOf(config, [...new Set(options.command ?? aclCommands)])
      if (options.format === 'json')
        printJson(
          context,
          acls.map((acl) => jsonOf(acl, options.principal)),
        )
      else for (const acl of acls) context.out.write(`${lineOf(acl, config.brokers, options)}\n`)
      finish(exitCodes.ok)
    })
}

function principal(text: string): string {
  if (!/^[A-Za-z]+:.+$/.test(text))
    throw new InvalidArgumentError('It must have a type and a name, like User:app.')
  return text
}

function collect(name: string, before: readonly string[] = []): string[] {
  if (!(aclCommands as readonly string[]).includes(name))
    throw new InvalidArgumentError(`Allowed choices are ${aclCommands.join(', ')}.`)
  return [...before, name]
}

function jsonOf({ type, name, pattern, operation, commands }: Acl, who: string): object {
  return {
    principal: who,
    host: '*',
    permission: 'Allow',
    resource_type: type,
    resource_name: name,
    pattern_type: pattern,
    operation,
    commands,
  }
}

function lineOf(
  { type, name, pattern, operation, commands }: Acl,
  brokers: readonly string[],
  { principal: who, commandConfig }: Options,
): string {
  const words = [
    'kafka-acls.sh',
    '--bootstrap-server',
    brokers.join(','),
    ...(commandConfig === undefined ? [] : ['--command-config', commandConfig]),
    '--add',
    '--allow-principal',
    who,
    '--operation',
    operation,
    `--${type}`,
    name,
    ...(pattern === 'prefixed' ? ['--resource-pattern-type', 'prefixed'] : []),
  ]
  return `${words.map(quoted).join(' ')} # ${commands.join(', ')}`
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
