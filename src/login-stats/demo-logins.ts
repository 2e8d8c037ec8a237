import { type Behaviour, coded } from '../errors.ts'
import type { Log } from '../ports/log.ts'
import { type RecordSource, type WriteOptions, writeRecords } from './commands/record-writer.ts'

const retryMs = 1000
/** A broker that is away or slow, or a transaction that it has ended meanwhile. */
const passing: ReadonlySet<Behaviour> = new Set(['retry', 'abort', 'rejoin'])

/**
 * Writes until it is stopped, also past a broker that is silent for a while: with a new producer then, and at the rate from there on.
 * Nobody counts these logins: whether those of the transaction that has failed are there matters only to who must write so many.
 */
export async function keepWriting(source: RecordSource, log: Log, options: WriteOptions): Promise<void> {
  while (!options.isStopped()) {
    try {
      await writeRecords(source, options)
      return
    } catch (cause) {
      const failure = coded(cause, 'generate logins')
      if (!passing.has(failure.behaviour)) throw failure
      log.warn({ code: failure.code, retryMs }, failure.message)
      await options.clock.sleep(retryMs)
    }
  }
}
