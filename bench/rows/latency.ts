/** From the moment a login is sent to the moment its row can be seen, under a steady load. */
import { systemClock } from '../../src/system/clock.ts'
import { LiveLoad } from '../input/live-load.ts'
import { quantile } from '../measure/statistics.ts'
import type { Session } from '../session.ts'
import type { System } from '../systems/index.ts'
import type { Measured, Scale } from './row.ts'
import { allDimensions, SystemRun } from './system-run.ts'

const partitions = 4
export const loginsPerSecond = 2000
const probeEvery = 20
/** The precision of every latency. */
const pollMs = 5

export async function measureLatency(session: Session, system: System, scale: Scale): Promise<Measured> {
  const inputTopic = session.newName('live-input')
  await session.kafka.admin.createTopics([
    { name: inputTopic, partitionCount: partitions, replicationFactor: -1, config: {} },
  ])
  const run = await SystemRun.prepare(session, system, {
    inputTopic,
    partitions,
    logins: loginsPerSecond * (scale.warmUpSeconds + scale.latencySeconds),
    dimensions: allDimensions,
    rollingWindows: null,
    threads: null,
    enriched: false,
    pollMs,
  })
  const load = await LiveLoad.connect({
    bootstrapServers: session.broker.bootstrapServers,
    topic: inputTopic,
    partitions,
    rate: loginsPerSecond,
    probeEvery,
  })
  try {
    await run.launch()
    load.begin()
    await run.firstRow()
    await systemClock.sleep(scale.warmUpSeconds * 1000)
    const measuredFrom = systemClock.monotonic()
    const writesBefore = load.writeMs.length
    await systemClock.sleep(scale.latencySeconds * 1000)
    await load.pause()
    await run.complete(load.sent)
    const latencies = [...load.probes]
      .filter(([, sentAt]) => sentAt >= measuredFrom)
      .map(([key, sentAt]) => (run.visible.keyVisibleAt(key) ?? Number.NaN) - sentAt)
    return {
      counts: null,
      values: {
        probes: latencies.length,
        p50Ms: quantile(latencies, 0.5),
        p95Ms: quantile(latencies, 0.95),
        p99Ms: quantile(latencies, 0.99),
        maxMs: quantile(latencies, 1),
        writeP99Ms: quantile(load.writeMs.slice(writesBefore), 0.99),
      },
    }
  } finally {
    await load.close()
    await run.end()
    await session.kafka.admin.deleteTopics([inputTopic])
  }
}
