/**
 * A state of so many keys is built, the process stopped in order, its state directory deleted, and the process started again: it
 * must restore everything from the changelog before it counts on. Probes that stand in the input by then say when it does.
 */
import { produceLogins } from '../input/input-topic.ts'
import type { Session } from '../session.ts'
import type { System } from '../systems/index.ts'
import type { Measured } from './row.ts'
import { SystemRun } from './system-run.ts'

const partitions = 4
/** Enough users for every partition of the store to own some of them. */
const probeLogins = 1000

export async function measureRestore(session: Session, system: System, keys: number): Promise<Measured> {
  const inputTopic = session.newName('restore-input')
  await session.kafka.admin.createTopics([
    { name: inputTopic, partitionCount: partitions, replicationFactor: -1, config: {} },
  ])
  await produceLogins(session.kafka, inputTopic, { logins: keys, partitions, users: keys }, 0)
  const run = await SystemRun.prepare(session, system, {
    inputTopic,
    partitions,
    logins: keys,
    dimensions: ['user_id'],
    rollingWindows: '',
    threads: null,
    enriched: false,
    pollMs: 15,
  })
  try {
    const first = await run.launch()
    await run.complete(keys)
    await first.stop()
    await run.deleteState()
    await produceLogins(session.kafka, inputTopic, { logins: probeLogins, partitions, users: keys }, keys)
    const second = await run.launch()
    await run.complete(keys + probeLogins)
    const restore = system.restoreOf?.(second) ?? null
    return {
      counts: run.visible.contents.counts,
      values: {
        keys: run.visible.contents.keyCount,
        countsAgainSeconds: (run.visible.completedAt() - second.startedAt) / 1000,
        ...(restore === null
          ? {}
          : {
              restoreSeconds: restore.seconds,
              restoredRecords: restore.records,
              recordsPerSecond: restore.records / restore.seconds,
              keysPerSecond: run.visible.contents.keyCount / restore.seconds,
            }),
      },
    }
  } finally {
    await run.end()
    await session.kafka.admin.deleteTopics([inputTopic])
  }
}
