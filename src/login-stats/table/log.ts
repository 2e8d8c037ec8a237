import type { Log } from '../../ports/log.ts'

/** What a program may give to be told of troubles: a logger of pino, `console`, or anything like them. */
export type TableLog = Omit<Log, 'child'> & Partial<Pick<Log, 'child'>>

/** One without children gets them: they put their fields into each line. */
export function withChildren(log: TableLog, added: object = {}): Log {
  if (log.child !== undefined) return log as Log
  return {
    debug: (fields, message) => log.debug({ ...added, ...fields }, message),
    info: (fields, message) => log.info({ ...added, ...fields }, message),
    warn: (fields, message) => log.warn({ ...added, ...fields }, message),
    error: (fields, message) => log.error({ ...added, ...fields }, message),
    child: (fields) => withChildren(log, { ...added, ...fields }),
  }
}
