import { coded } from '../errors.ts'
import type { Log } from '../ports/log.ts'
import { describe } from '../streams/index.ts'
import { createLogger } from '../system/logger.ts'
import { keepAlive, onExit } from '../system/process.ts'
import type { ProcessorOptions } from './processor.ts'
import { openService, type Service } from './service.ts'
import type { StopRequest } from './stop-request.ts'
import { topologyOf } from './topology.ts'

/**
 * Runs the processor until it is asked to stop: stops intake, commits, leaves the group, closes the stores, and resolves. Rejects
 * with the CodedError that ended it. The last line of its log tells how the process ends.
 */
export async function run(options: ProcessorOptions, stop: StopRequest): Promise<void> {
  const { config, logTo } = options
  const log = createLogger(logTo)
  log.debug({ topology: describe(topologyOf(config)) }, 'Topology')
  let reason: string | null = null
  onExit((exitCode) => {
    const why = reason ?? (stop.isRequested ? 'a second signal' : 'an error that nobody caught')
    log[exitCode === 0 ? 'info' : 'error']({ exitCode, reason: why }, 'The processor ends')
  })
  const release = keepAlive()
  let service: Service | null = null
  const stopListening = stop.listen((signal) => {
    log.info({ signal }, 'Stopping')
    service?.stop()
  })
  try {
    service = await openService(options, log)
    if (stop.isRequested) service.stop()
    try {
      log.info({ appId: config.appId, brokers: config.brokers }, 'Starting')
      await service.run()
      log.info({}, 'Stopped')
    } catch (error) {
      // What does not move any more would not close either.
      if (coded(error, 'run').code !== 'STALLED') await closeAfterFailure(service, log)
      throw error
    }
    await service.close()
    reason = stop.reason
  } catch (error) {
    reason = coded(error, 'run').code
    throw error
  } finally {
    stopListening()
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
