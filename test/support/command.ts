import { type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const launcher = join(import.meta.dirname, '../../bin/login-stats')

export interface CommandResult {
  readonly exitCode: number | null
  readonly out: string
  readonly err: string
}

/** A command of the program under way. */
export interface StartedCommand {
  readonly ended: Promise<CommandResult>
  kill(signal: NodeJS.Signals): void
}

/** Runs a command of the program as a user does. */
export function command(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<CommandResult> {
  return startCommand(args, environment).ended
}

/** Begins to run it; the exit code is null if a signal has ended it. */
export function startCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): StartedCommand {
  const options: SpawnOptions = {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  }
  const child = spawn(launcher, args, options)
  if (child.stdout === null || child.stderr === null) throw new Error('no output')
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]).then(
    ([out, err, [exitCode]]) => ({ exitCode: exitCode as number | null, out, err }),
  )
  return { ended, kill: (signal) => void child.kill(signal) }
}
