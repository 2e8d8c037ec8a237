/**
 * How what a process has open is closed: one part after the other, each within its time. One that fails, or does not end, such as a table on
 * a disk that hangs, is told and left alone, so that the others are closed all the same and the process ends.
 */
import { CodedError, coded } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'

/** All parts together must end before a supervisor loses its patience, after 30 s. */
export const closeWithinMs = 3000

export interface Part {
  /** As in `close the HTTP server`. */
  readonly name: string
  close(): Promise<void>
}

/** Never rejects. */
export async function closeParts(parts: readonly Part[], clock: Clock, log: Log): Promise<void> {
  for (const part of parts) {
    try {
      await closeInTime(part, clock)
    } catch (cause) {
      const error = coded(cause, `close ${part.name}`)
      log.warn({ error }, `Could not close ${part.name} in order; it is left alone`)
    }
  }
}

/** Throws what the part throws, and STALLED where it takes too long. */
export async function closeInTime({ name, close }: Part, clock: Clock): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const cancel = clock.setTimer(closeWithinMs, () => {
    const detail = `It has not ended within ${closeWithinMs} ms.`
    reject(new CodedError('STALLED', { operation: `close ${name}`, detail }))
  })
  try {
    await Promise.race([close(), late])
  } finally {
    cancel()
  }
}
