import pc from 'picocolors'
import { coded } from '../../errors.ts'
import { printable, printableLines } from '../printable.ts'
import { type CommandContext, hasColours } from './context.ts'
import { exitCodes } from './exit-codes.ts'

/** A signal has ended a command before it was done. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'

  constructor(options?: ErrorOptions) {
    super('Interrupted: Kafka had not answered yet.', options)
  }
}

/** Prints what failed in readable lines on standard error; returns the exit code for it. */
export function reportError(context: CommandContext, thrown: unknown): number {
  const { err, environment } = context
  if (thrown instanceof Interrupted) {
    err.write(`${thrown.message}\n`)
    return context.stop.exitCode
  }
  const error = coded(thrown, 'login-stats')
  const { operation, detail, hint: _hint, cause: _cause, ...place } = error.details
  const colours = pc.createColors(hasColours({ ...context, out: err }))
  const where = Object.entries(place)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`)
  const what = error.message.slice(error.message.indexOf(': ') + 2)
  const lines = [
    `${colours.red(colours.bold(error.code))} ${printable(operation)}`,
    `  ${printableLines((detail ?? what.slice(what.indexOf(': ') + 2, what.lastIndexOf(' Hint: '))).trim())}`,
    ...(where.length > 0 ? [`  ${colours.dim('where:')} ${printable(where.join(', '))}`] : []),
    `  ${colours.dim('hint:')}  ${printable(error.hint)}`,
  ]
  err.write(`${lines.join('\n')}\n`)
  if (environment.LOG_LEVEL === 'debug')
    for (const one of chain(error)) err.write(`${printableLines(String(one.stack ?? one))}\n`)
  return error.code === 'CONFIG_INVALID' ? exitCodes.usage : exitCodes.fault
}

/** The error and its causes. */
function chain(error: Error): Error[] {
  const errors: Error[] = []
  for (let one: unknown = error; one instanceof Error && !errors.includes(one); one = one.cause)
    errors.push(one)
  return errors
}
