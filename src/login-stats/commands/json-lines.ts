import { createReadStream } from 'node:fs'
import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { SourceRecord } from './record-writer.ts'

const newline = 0x0a
const carriageReturn = 0x0d

/**
 * The lines of a file as records, their bytes unchanged; empty lines are left out. Whether a line is a valid login is not looked
 * at. Throws CONFIG_INVALID where the file cannot be read.
 */
export async function* linesOf(path: string, clock: Clock): AsyncGenerator<SourceRecord> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunksOf(path)) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let start = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      yield* lineOf(bytes.subarray(start, end), clock)
      start = end + 1
    }
    rest = bytes.subarray(start)
  }
  yield* lineOf(rest, clock)
}

function* lineOf(line: Buffer, clock: Clock): Generator<SourceRecord> {
  const value = line.at(-1) === carriageReturn ? line.subarray(0, -1) : line
  if (value.length > 0) yield { value, valid: true, timestampMs: clock.now() }
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path)
  } catch (error) {
    throw new CodedError('CONFIG_INVALID', {
      operation: 'read the file of logins',
      path,
      detail:
        error instanceof Error && 'code' in error ? `It cannot be read (${error.code}).` : String(error),
      hint: 'Check the path and the rights of the file.',
      cause: error,
    })
  }
}
