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

/** Runs a command of the program as a user does. */
export async function command(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<CommandResult> {
  const options: SpawnOptions = {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  }
  const child = spawn(launcher, args, options)
  if (child.stdout === null || child.stderr === null) throw new Error('no output')
  const [out, err, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { exitCode: exitCode as number | null, out, err }
}
