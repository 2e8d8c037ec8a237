import { parentPort, Worker, workerData } from 'node:worker_threads'
import { CodedError } from '../errors.ts'
import type { ThreadHost, ThreadParent } from '../ports/threads.ts'

/** Threads that run the module at `url`. They have the environment of this process, and write to its standard output. */
export function workerThreads(url: URL): ThreadHost {
  return {
    start: (data) => {
      const worker = new Worker(url, { workerData: data })
      let failure: Error | null = null
      // Comes before `exit`, or not at all.
      worker.on('error', (error: unknown) => {
        failure = error instanceof Error ? error : new Error(String(error))
      })
      return {
        ended: new Promise((resolve) => worker.on('exit', () => resolve(failure))),
        send: (message) => worker.postMessage(message),
        onMessage: (listener) => worker.on('message', listener),
        terminate: () => void worker.terminate(),
      }
    },
  }
}

/** The thread that has started this one, and what it has given it. Throws INTERNAL in the main thread. */
export function threadParent(): { readonly data: unknown; readonly parent: ThreadParent } {
  const port = parentPort
  if (port === null) {
    throw new CodedError('INTERNAL', { operation: 'threadParent', detail: 'This is the main thread.' })
  }
  return {
    data: workerData,
    parent: {
      send: (message) => port.postMessage(message),
      onMessage: (listener) => port.on('message', listener),
      close: () => port.close(),
    },
  }
}
