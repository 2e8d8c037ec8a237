import type { Command } from 'commander'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Random } from '../../ports/random.ts'
import type { Environment } from '../config/index.ts'
import { printableJson } from '../printable.ts'
import type { StopRequest } from '../stop-request.ts'

/** Standard output or standard error. */
export interface Output {
  /** Text, or bytes as they are. */
  write(text: string | Uint8Array): void
  /** Resolves when all of it is taken, or nobody is there to take it. Rejects with OUTPUT_FAILED. */
  drained(): Promise<void>
  /** Whether its reader has closed its end, as `head` does: nothing is left to be said to it. */
  readonly isGone: boolean
  readonly isTTY?: boolean | undefined
  /** Of a terminal. */
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

/** What a command may use of the process that it runs in. */
export interface CommandContext {
  readonly environment: Environment
  readonly out: Output
  readonly err: Output
  readonly clock: Clock
  readonly random: Random
  /** Logs as JSON lines on standard error; the processor makes its own, on standard output. */
  createLog(options: { readonly level: LogLevel }): Log
  readonly stop: StopRequest
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** One run of the program. A command's action tells its exit code to `finish`. */
export interface Invocation {
  readonly context: CommandContext
  finish(exitCode: number): void
}

/** Makes a command of the program; heavy modules are imported only in its action, so that `--help` stays quick. */
export type CommandFactory = (invocation: Invocation) => Command

/** Colours and drawing in place are for people only. */
export function isForPeople({ environment, out }: CommandContext): boolean {
  return out.isTTY === true && environment.TERM !== 'dumb'
}

export function hasColours(context: CommandContext): boolean {
  return isForPeople(context) && (context.environment.NO_COLOR ?? '') === ''
}

/** As the locale says; where it says nothing, as nearly all terminals do. */
export function takesUtf8({ environment: { LC_ALL, LC_CTYPE, LANG } }: CommandContext): boolean {
  const locale = LC_ALL || LC_CTYPE || LANG || ''
  return locale === '' || /utf-?8/i.test(locale)
}

export function printJson(context: CommandContext, value: unknown): void {
  context.out.write(`${printableJson(value, isForPeople(context) ? 2 : 0)}\n`)
}
