/**
 * The lag of tasks that cannot tell it themselves: while a task is taken over or restored it reads nothing, and so does not know where its
 * input ends. Kafka knows: what the group has committed, and where the partitions end. What cannot be had in time stays unknown.
 */
import { coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { TaskStatus } from '../../streams/index.ts'

/** Whoever asks for metrics does not wait for long. */
const answerWithinMs = 1000

export interface KnownLagsOptions {
  readonly clock: Clock
  readonly log: Log
  /** Of all tasks of the application by their ids, as Kafka tells it. */
  lags(): Promise<ReadonlyMap<string, number>>
}

/** `tasks`, with the lags that they do not know. Kafka is asked only if there are such. */
export async function withKnownLags(
  tasks: readonly TaskStatus[],
  options: KnownLagsOptions,
): Promise<readonly TaskStatus[]> {
  const isUnknown = ({ state, lag }: TaskStatus) => state !== 'standby' && lag === null
  if (!tasks.some(isUnknown)) return tasks
  const lags = await lagsInTime(options)
  return tasks.map((status) => {
    const lag = isUnknown(status) ? (lags.get(status.task) ?? null) : null
    // How old the next record is, nobody can tell without reading it; but there may be none.
    return lag === null ? status : { ...status, lag, lagSeconds: lag === 0 ? 0 : status.lagSeconds }
  })
}

async function lagsInTime({ clock, log, lags }: KnownLagsOptions): Promise<ReadonlyMap<string, number>> {
  const { promise: late, resolve } = Promise.withResolvers<ReadonlyMap<string, number>>()
  const cancel = clock.setTimer(answerWithinMs, () => resolve(new Map()))
  try {
    return await Promise.race([lags(), late])
  } catch (error) {
    log.debug({ error: coded(error, 'ask for lags') }, 'Kafka did not tell the lag of tasks')
    return new Map()
  } finally {
    cancel()
  }
}
