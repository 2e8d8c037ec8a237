/**
 * A state of so many keys is built, the process stopped in order, its state directory deleted, and the process started again: it
 * must restore everything from the changelog before it counts on. Probes that stand in the input by then say when it does.
 */
import { produceLogins } from '../input/input-topic.ts'
import { withOwnInput } from '../input/own-input.ts'
import type { Session } from '../session.ts'
import type { System } from '../systems/index.ts'
import type { Measured } from './row.ts'
import { countsOf, SystemRun } from './system-run.ts'

const partitions = 4
/** Enough users for every partition of the store to own some of them. */
const probeLogins = 1000

export function measureRestore(session: Session, system: System, keys: number): Promise<Measured> {
  return withOwnInput(session, partitions, async (inputTopic) => {
    await produceLogins(session.kafka, inputTopic, { logins: keys, partitions, users: keys }, 0)
    const options = {
      ...countsOf({ inputTopic, partitions, logins: keys, pollMs: 15 }),
      ...{ dimensions: ['user_id'], rollingWindows: '' },
    }
    return SystemRun.with(session, system, options, async (run) => {
      const first = await run.launch()
      await run.complete(keys)
      await first.stop()
      await run.deleteState()
      await produceLogins(session.kafka, inputTopic, { logins: probeLogins, partitions, users: keys }, keys)
      const second = await run.launch()
      await run.complete(keys + probeLogins)
      const { contents } = run.visible
      const restore = system.restoreOf?.(second) ?? null
      return {
        counts: contents.counts,
        values: {
          keys: contents.keyCount,
          countsAgainSeconds: (run.visible.completedAt() - second.startedAt) / 1000,
          ...(restore === null
            ? {}
            : {
                restoreSeconds: restore.seconds,
                restoredRecords: restore.records,
                recordsPerSecond: restore.records / restore.seconds,
                keysPerSecond: contents.keyCount / restore.seconds,
              }),
        },
      }
    })
  })
}
