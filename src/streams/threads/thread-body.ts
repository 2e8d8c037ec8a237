import { coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { ThreadParent } from '../../ports/threads.ts'
import type { Streams } from '../runtime/streams.ts'
import { type FromThread, statusIntervalMs, type ToThread, toPlain } from './thread-messages.ts'

/**
 * The inside of a stream thread: runs the application until the parent says stop or it meets something that it cannot survive, and
 * tells the parent how it stands. Resolves when everything is closed; never rejects.
 */
export async function runInThread(options: {
  readonly parent: ThreadParent
  readonly clock: Clock
  readonly log: Log
  /** Opens what the thread needs. It may throw. */
  open(): Promise<{ readonly streams: Streams; close(): Promise<void> }>
}): Promise<void> {
  const { parent, clock, log, open } = options
  const send = (message: FromThread): void => parent.send(message)
  let isStopping = false
  let streams: Streams | null = null
  parent.onMessage((message) => {
    if ((message as ToThread).type !== 'stop') return
    isStopping = true
    streams?.stop()
  })
  let cancel = (): void => {}
  const tell = (): void => {
    send({ type: 'status', tasks: streams?.status() ?? [], taskCount: streams?.taskCount ?? null })
    cancel = clock.setTimer(statusIntervalMs, tell)
  }
  tell()
  try {
    const opened = await open()
    try {
      streams = opened.streams
      if (!isStopping) await streams.run()
    } finally {
      streams = null
      await opened.close()
    }
    send({ type: 'ended', error: null })
  } catch (cause) {
    const error = coded(cause, 'run a stream thread')
    log.error({ error }, 'The stream thread ends')
    send({ type: 'ended', error: toPlain(error) })
  } finally {
    cancel()
    parent.close()
  }
}
