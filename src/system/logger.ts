import { type DestinationStream, pino, stdSerializers } from 'pino'
import type { Log } from '../ports/log.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LoggerOptions {
  readonly level: LogLevel
  /** A file descriptor, the path of a file, or anything with `write(line)`; standard output if absent. */
  readonly destination?: number | string | DestinationStream
}

const standardOutput = 1

/**
 * The one place that makes a logger: a line of JSON per event. It redacts nothing, because nothing personal is
 * given to it. Errors belong in the field `err` or `error`: both are written with their stack and their code.
 */
export function createLogger({ level, destination = standardOutput }: LoggerOptions): Log {
  // Synchronous, so that the last lines before an exit are not lost; the engine logs too little for this to cost.
  const stream =
    typeof destination === 'object' ? destination : pino.destination({ dest: destination, sync: true })
  return pino({ level, serializers: { err: stdSerializers.err, error: stdSerializers.err } }, stream)
}
