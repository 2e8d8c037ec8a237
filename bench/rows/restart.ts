/**
 * The first start, and the one after a kill -9.
 *
 * Restart: with a backlog counted and a steady load running, the process is killed and at once started again; then one
 * login goes to each partition. The first of their rows is the next commit; the last one says that every partition is counted again.
 * At the end all logins must have been counted once.
 */
import { systemClock } from '../../src/system/clock.ts'
import { produceLogins } from '../input/input-topic.ts'
import { LiveLoad } from '../input/live-load.ts'
import type { Session } from '../session.ts'
import type { System } from '../systems/index.ts'
import { loginsPerSecond } from './latency.ts'
import type { Measured } from './row.ts'
import { allDimensions, SystemRun } from './system-run.ts'

const partitions = 4
const backlogLogins = 100_000
const loadSeconds = 4
const pollMs = 5
const probeEvery = 200

async function prepare(session: Session, system: System): Promise<{ run: SystemRun; inputTopic: string }> {
  const inputTopic = session.newName('restart-input')
  await session.kafka.admin.createTopics([
    { name: inputTopic, partitionCount: partitions, replicationFactor: -1, config: {} },
  ])
  await produceLogins(session.kafka, inputTopic, { logins: backlogLogins, partitions, users: null }, 0)
  const run = await SystemRun.prepare(session, system, {
    inputTopic,
    partitions,
    logins: backlogLogins,
    dimensions: allDimensions,
    rollingWindows: null,
    threads: null,
    enriched: false,
    pollMs,
  })
  return { run, inputTopic }
}

export async function measureStart(session: Session, system: System): Promise<Measured> {
  const { run, inputTopic } = await prepare(session, system)
  try {
    const { startedAt } = await run.launch()
    const firstAt = await run.firstRow()
    return { counts: null, values: { firstCommitSeconds: (firstAt - startedAt) / 1000 } }
  } finally {
    await run.end()
    await session.kafka.admin.deleteTopics([inputTopic])
  }
}

export async function measureRestart(session: Session, system: System): Promise<Measured> {
  const { run, inputTopic } = await prepare(session, system)
  const { bootstrapServers } = session.broker
  const load = await LiveLoad.connect({
    ...{ bootstrapServers, topic: inputTopic, partitions, rate: loginsPerSecond, probeEvery },
  })
  try {
    const first = await run.launch()
    await run.complete(backlogLogins)
    load.begin()
    await systemClock.sleep(loadSeconds * 1000)
    await first.kill()
    const { startedAt } = await run.launch()
    const keys = await load.probeAll()
    await systemClock.sleep(1000)
    await load.pause()
    await run.complete(backlogLogins + load.sent)
    const times = keys.map((key) => ((run.visible.keyVisibleAt(key) ?? Number.NaN) - startedAt) / 1000)
    return {
      counts: null,
      values: { nextCommitSeconds: Math.min(...times), allPartitionsSeconds: Math.max(...times) },
    }
  } finally {
    await load.close()
    await run.end()
    await session.kafka.admin.deleteTopics([inputTopic])
  }
}
