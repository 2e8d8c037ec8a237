import { coded } from '../errors.ts'
import type { Log } from '../ports/log.ts'
import type { EngineObserver, RestoreProgress } from '../streams/index.ts'
import { describe } from '../streams/index.ts'
import { systemClock } from '../system/clock.ts'
import { keepAlive, onTermination } from '../system/process.ts'
import type { Config } from './config/index.ts'
import { openProcessor, type Processor, topologyOf } from './processor.ts'

/**
 * Runs the processor until SIGINT or SIGTERM: stops intake, commits, leaves the group, closes the stores, and resolves. Rejects
 * with the CodedError that ended it.
 */
export async function run(config: Config, log: Log, observer: EngineObserver = {}): Promise<void> {
  log.debug({ topology: describe(topologyOf(config)) }, 'Topology')
  const release = keepAlive()
  try {
    const processor = await openProcessor(config, log, { ...logging(log), ...observer })
    let isStalled = false
    try {
      await runUntilTerminated(processor, config, log)
    } catch (error) {
      isStalled = coded(error, 'run').code === 'STALLED'
      throw error
    } finally {
      // What does not move any more would not close either.
      if (!isStalled) await processor.close()
    }
  } finally {
    release()
  }
}

async function runUntilTerminated({ streams }: Processor, config: Config, log: Log): Promise<void> {
  let isStopping = false
  const stopListening = onTermination((signal) => {
    // A second signal means that waiting is no longer wanted: what is uncommitted is read again by the next start.
    if (isStopping) process.exit(130)
    isStopping = true
    log.info({ signal }, 'Stopping')
    streams.stop()
  })
  try {
    log.info({ appId: config.appId, brokers: config.brokers }, 'Starting')
    await streams.run()
    log.info({}, 'Stopped; everything read is committed')
  } finally {
    stopListening()
  }
}

/** A long restore says how far it is this often. */
const progressIntervalMs = 2000

/** What the engine does, as log lines. */
function logging(log: Log): EngineObserver {
  const toldAt = new Map<string, number>()
  return {
    taskChanged: (task, state) => log.debug({ task, state }, 'Task changed'),
    committed: (task, { durationMs, records, caughtUp }) =>
      log.debug({ task, durationMs: Math.round(durationMs * 10) / 10, records, caughtUp }, 'Committed'),
    restored: (task, { restoredRecords, durationMs }) => {
      toldAt.delete(task)
      log.info({ task, restoredRecords, durationMs: Math.round(durationMs) }, 'Store restored')
    },
    restoring: (progress) => {
      const now = systemClock.monotonic()
      const before = toldAt.get(progress.taskId) ?? now
      toldAt.set(progress.taskId, before)
      if (now - before < progressIntervalMs) return
      toldAt.set(progress.taskId, now)
      log.info(restoreFields(progress), 'Restoring')
    },
  }
}

function restoreFields({ taskId, from, position, end, restoredRecords }: RestoreProgress): object {
  const percent = Math.floor((100 * (position - from)) / Math.max(1, end - from))
  return { task: taskId, position, end, percent, restoredRecords }
}
