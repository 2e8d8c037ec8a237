import type { KafkajsLogger } from 'kafkajs/src/network/connection.js'
import type { Log } from '../../ports/log.ts'

/**
 * What kafkajs logs, as debug lines of ours: each of its errors also comes back to us as a failed request, and whoever gets
 * that decides how bad it is. Its own debug lines, some per request, are dropped.
 */
export function kafkajsLog(log: Log): KafkajsLogger {
  const debug = (message: string, extra: object = {}): void => log.debug({ kafkajs: extra }, message)
  const logger: KafkajsLogger = {
    namespace: () => logger,
    debug: () => {},
    info: debug,
    warn: debug,
    error: debug,
  }
  return logger
}
