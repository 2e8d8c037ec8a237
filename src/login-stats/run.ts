import { coded } from '../errors.ts'
import type { Log } from '../ports/log.ts'
import { describe } from '../streams/index.ts'
import { createLogger } from '../system/logger.ts'
import { keepAlive, onTermination } from '../system/process.ts'
import type { Config } from './config/index.ts'
import type { ProcessorOptions } from './processor.ts'
import { openService, type Service } from './service.ts'
import { topologyOf } from './topology.ts'

/**
 * Runs the processor until SIGINT or SIGTERM: stops intake, commits, leaves the group, closes the stores, and resolves. Rejects
 * with the CodedError that ended it.
 */
export async function run(options: ProcessorOptions): Promise<void> {
  const { config, logTo } = options
  const log = createLogger(logTo)
  log.debug({ topology: describe(topologyOf(config)) }, 'Topology')
  const release = keepAlive()
  try {
    const service = await openService(options, log)
    try {
      await runUntilTerminated(service, config, log)
    } catch (error) {
      // What does not move any more would not close either.
      if (coded(error, 'run').code !== 'STALLED') await closeAfterFailure(service, log)
      throw error
    }
    await service.close()
  } finally {
    release()
  }
}

/** What has ended it is told by the exit, and not what comes of it. */
async function closeAfterFailure(service: Service, log: Log): Promise<void> {
  try {
    await service.close()
  } catch (cause) {
    log.warn({ error: coded(cause, 'close') }, 'The processor could not be closed in order')
  }
}

async function runUntilTerminated(service: Service, config: Config, log: Log): Promise<void> {
  let isStopping = false
  const stopListening = onTermination((signal) => {
    // A second signal means that waiting is no longer wanted: what is uncommitted is read again by the next start.
    if (isStopping) process.exit(130)
    isStopping = true
    log.info({ signal }, 'Stopping')
    service.stop()
  })
  try {
    log.info({ appId: config.appId, brokers: config.brokers }, 'Starting')
    await service.run()
    log.info({}, 'Stopped; everything read is committed')
  } finally {
    stopListening()
  }
}
