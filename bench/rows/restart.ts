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
import { withOwnInput } from '../input/own-input.ts'
import type { Session } from '../session.ts'
import type { System } from '../systems/index.ts'
import { loginsPerSecond } from './latency.ts'
import type { Measured } from './row.ts'
import { countsOf, SystemRun } from './system-run.ts'

const everyPartition = [0, 1, 2, 3]
const partitions = everyPartition.length
const backlogLogins = 100_000
const loadSeconds = 4
const pollMs = 5
const probeEvery = 200

function withBacklog(
  session: Session,
  system: System,
  use: (run: SystemRun, inputTopic: string) => Promise<Measured>,
): Promise<Measured> {
  return withOwnInput(session, partitions, async (inputTopic) => {
    await produceLogins(session.kafka, inputTopic, { logins: backlogLogins, partitions, users: null }, 0)
    const options = countsOf({ inputTopic, partitions, logins: backlogLogins, pollMs })
    return SystemRun.with(session, system, options, (run) => use(run, inputTopic))
  })
}

export function measureStart(session: Session, system: System): Promise<Measured> {
  return withBacklog(session, system, async (run) => {
    const { startedAt } = await run.launch()
    const firstAt = await run.firstRow()
    return { counts: null, values: { firstCommitSeconds: (firstAt - startedAt) / 1000 } }
  })
}

export function measureRestart(session: Session, system: System): Promise<Measured> {
  const { bootstrapServers } = session.broker
  return withBacklog(session, system, (run, topic) => {
    const load = { bootstrapServers, topic, partitions: everyPartition, rate: loginsPerSecond, probeEvery }
    return LiveLoad.with(load, (live) => restart(run, live))
  })
}

async function restart(run: SystemRun, load: LiveLoad): Promise<Measured> {
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
}
