import { type EngineObserver, runInThread } from '../streams/index.ts'
import { systemClock } from '../system/clock.ts'
import { createLogger } from '../system/logger.ts'
import { keepAlive } from '../system/process.ts'
import { threadParent } from '../system/worker-threads.ts'
import type { ProcessorOptions } from './processor.ts'
import { openStreamThread, type StreamThreadOptions } from './stream-thread.ts'

/** A copy of this is what the thread is given. */
export interface WorkerData extends StreamThreadOptions {
  readonly logTo: ProcessorOptions['logTo']
}

/** The whole of a worker thread: one stream thread. Resolves when it has ended, in order or not. */
export async function runStreamThread(observer: EngineObserver = {}): Promise<void> {
  const { data, parent } = threadParent()
  const { logTo, ...options } = data as WorkerData
  const log = createLogger(logTo).child({ thread: options.thread })
  const release = keepAlive()
  await runInThread({
    parent,
    clock: systemClock,
    log,
    open: () => openStreamThread(options, log, observer),
  })
  release()
}
