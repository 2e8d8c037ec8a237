/** From the moment a login is sent to the moment its row can be seen, under a steady load. */
import { systemClock } from '../../src/system/clock.ts'
import { LiveLoad } from '../input/live-load.ts'
import { withOwnInput } from '../input/own-input.ts'
import { quantile } from '../measure/statistics.ts'
import type { Session } from '../session.ts'
import type { System } from '../systems/index.ts'
import type { Measured, Scale } from './row.ts'
import { countsOf, SystemRun } from './system-run.ts'

const everyPartition = [0, 1, 2, 3]
const partitions = everyPartition.length
export const loginsPerSecond = 2000
const probeEvery = 20
/** The precision of every latency. */
const pollMs = 5

export function measureLatency(session: Session, system: System, scale: Scale): Promise<Measured> {
  const logins = loginsPerSecond * (scale.warmUpSeconds + scale.latencySeconds)
  const { bootstrapServers } = session.broker
  return withOwnInput(session, partitions, (inputTopic) => {
    const load = {
      ...{ bootstrapServers, topic: inputTopic, partitions: everyPartition },
      ...{ rate: loginsPerSecond, probeEvery },
    }
    const options = countsOf({ inputTopic, partitions, logins, pollMs })
    return SystemRun.with(session, system, options, (run) =>
      LiveLoad.with(load, (live) => latencies(run, live, scale)),
    )
  })
}

async function latencies(run: SystemRun, load: LiveLoad, scale: Scale): Promise<Measured> {
  await run.launch()
  load.begin()
  await run.firstRow()
  await systemClock.sleep(scale.warmUpSeconds * 1000)
  const measuredFrom = systemClock.monotonic()
  const writesBefore = load.writeMs.length
  await systemClock.sleep(scale.latencySeconds * 1000)
  await load.pause()
  await run.complete(load.sent)
  const measured = [...load.probes]
    .filter(([, sentAt]) => sentAt >= measuredFrom)
    .map(([key, sentAt]) => (run.visible.keyVisibleAt(key) ?? Number.NaN) - sentAt)
  return {
    counts: null,
    values: {
      probes: measured.length,
      p50Ms: quantile(measured, 0.5),
      p95Ms: quantile(measured, 0.95),
      p99Ms: quantile(measured, 0.99),
      maxMs: quantile(measured, 1),
      writeP99Ms: quantile(load.writeMs.slice(writesBefore), 0.99),
    },
  }
}
