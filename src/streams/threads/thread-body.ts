import { coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { ThreadParent } from '../../ports/threads.ts'
import type { Streams } from '../runtime/streams.ts'
import { type FromThread, statusIntervalMs, type ToThread, toPlain } from './thread-messages.ts'

/** What runs in a thread. */
export interface OpenThread {
  readonly streams: Streams
  /** Answers what the parent asks, with plain data. */
  answer?(question: unknown): Promise<unknown>
  close(): Promise<void>
}

/**
 * The inside of a stream thread: runs the application until the parent says stop or it meets something that it cannot survive, and
 * tells the parent how it stands. Resolves when everything is closed; never rejects.
 */
export async function runInThread(options: {
  readonly parent: ThreadParent
  readonly clock: Clock
  readonly log: Log
  /** Opens what the thread needs. It may throw. */
  open(): Promise<OpenThread>
}): Promise<void> {
  const { parent, clock, log, open } = options
  const send = (message: FromThread): void => parent.send(message)
  let isStopping = false
  let opened: OpenThread | null = null
  const answer = async (id: number, question: unknown): Promise<void> => {
    try {
      send({ type: 'answer', id, answer: await opened?.answer?.(question) })
    } catch (error) {
      // Whoever has asked goes on without this answer.
      log.warn({ error: coded(error, 'answer a question') }, 'A question could not be answered')
    }
  }
  parent.onMessage((message) => {
    const told = message as ToThread
    if (told.type === 'ask') void answer(told.id, told.question)
    else {
      isStopping = true
      opened?.streams.stop()
    }
  })
  let cancel = (): void => {}
  const tell = (): void => {
    const streams = opened?.streams
    const { taskCount = null, isAssigned = false } = streams ?? {}
    send({ type: 'status', tasks: streams?.status() ?? [], taskCount, isAssigned })
    cancel = clock.setTimer(statusIntervalMs, tell)
  }
  tell()
  try {
    const running = await open()
    try {
      opened = running
      if (!isStopping) await running.streams.run()
    } finally {
      opened = null
      await running.close()
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
