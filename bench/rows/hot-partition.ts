/**
 * One partition has a backlog; the others get a steady few logins, from the start of the process until some time after the backlog is
 * done. What commits, fetches and turns of the tasks are made of must then change by itself: large ones for the backlog, small ones as
 * soon as it is done; and who waits beside a backlog must not wait for all of it.
 *
 * While it goes on nothing is read but offsets. Afterwards the broker tells what happened when: the table has the counts, and the group's
 * offsets have the transactions.
 */
import { systemClock } from '../../src/system/clock.ts'
import { readRange } from '../../src/verify/index.ts'
import { produceLogins } from '../input/input-topic.ts'
import { LiveLoad } from '../input/live-load.ts'
import { withOwnInput } from '../input/own-input.ts'
import { type Commit, type Counted, courseOf, type Events } from '../measure/course.ts'
import { readGroupCommits } from '../measure/group-commits.ts'
import { valuesOfPhase } from '../measure/phase.ts'
import { quantile } from '../measure/statistics.ts'
import type { Session } from '../session.ts'
import type { System } from '../systems/index.ts'
import type { Measured } from './row.ts'
import { countsOf, SystemRun } from './system-run.ts'

/** Where the generator's logins go if there is but one partition for them. */
const hotPartition = 0
const otherPartitions = [1, 2, 3]
const partitions = otherPartitions.length + 1
const liveLoginsPerSecond = 500
const probeEvery = 5
/** Of live logins alone, so that the others' counts say how much of the backlog is done. */
const liveDevice = 'live'
const pollMs = 5
const askForOffsetsMs = 200

export function measureHotPartition(
  session: Session,
  system: System,
  { logins, afterSeconds }: { readonly logins: number; readonly afterSeconds: number },
): Promise<Measured> {
  return withOwnInput(session, partitions, async (inputTopic) => {
    await produceLogins(session.kafka, inputTopic, { logins, partitions: 1, users: null }, 0)
    const load = {
      ...{
        bootstrapServers: session.broker.bootstrapServers,
        topic: inputTopic,
        partitions: otherPartitions,
      },
      ...{ rate: liveLoginsPerSecond, probeEvery, deviceType: liveDevice },
    }
    const options = countsOf({ inputTopic, partitions, logins, pollMs })
    return SystemRun.with(session, system, options, (run) =>
      LiveLoad.with(load, (live) => watch(run, live, { system, inputTopic, logins, afterSeconds })),
    )
  })
}

interface Watch {
  readonly system: System
  readonly inputTopic: string
  readonly logins: number
  readonly afterSeconds: number
}

async function watch(run: SystemRun, load: LiveLoad, options: Watch): Promise<Measured> {
  const { system, inputTopic, logins, afterSeconds } = options
  const { startedAt } = await run.launch()
  load.begin()
  const firstAt = await run.firstRow()
  await backlogRead(run, inputTopic)
  await systemClock.sleep(afterSeconds * 1000)
  const endedAt = systemClock.monotonic()
  await load.pause()
  const { peakRssBytes, memory } = run.usage()
  await run.complete(logins + load.sent)

  const counted = await countedOf(run, system)
  const backlogEndedAt = counted.reduce((latest, { time }) => Math.max(latest, time), firstAt)
  const events: Events = {
    ...{ startedAt, endedAt, backlog: logins, counted, memory },
    probes: [...load.probes].map(([key, sentAt]) => ({
      sentAt,
      latencyMs: (run.visible.keyVisibleAt(key) ?? Number.NaN) - sentAt,
    })),
    commits: await commitsOf(run, inputTopic),
  }
  const seconds = (backlogEndedAt - startedAt) / 1000
  return {
    counts: null,
    values: {
      loginsPerSecond: logins / seconds,
      seconds,
      ...valuesOfPhase(events, { name: 'backlog', from: firstAt, to: backlogEndedAt }),
      ...valuesOfPhase(events, { name: 'after', from: backlogEndedAt, to: endedAt }),
      ...(peakRssBytes === null ? {} : { peakRssMB: peakRssBytes / 1e6 }),
      writeP99Ms: quantile(load.writeMs, 0.99),
      probes: events.probes.length,
    },
    course: courseOf(events),
  }
}

/** Resolves when the group has committed the last login of the backlog. */
async function backlogRead(run: SystemRun, inputTopic: string): Promise<void> {
  const end = (await run.reader.offsets(inputTopic, 'lastStable'))[hotPartition] ?? 0
  // The last offset is that of a transaction's marker.
  const isRead = async () =>
    ((await run.reader.committedOffsets(run.groupId, inputTopic))[hotPartition] ?? 0) >= end - 1 || null
  const failure = 'The backlog was not read in time.'
  await run.eventually(isRead, { everyMs: askForOffsetsMs, failure })
}

/** When how many logins of the backlog became visible: by the counts of devices, of which each login has one. */
async function countedOf({ reader, visible, outputTopic }: SystemRun, system: System): Promise<Counted[]> {
  const counts = new Map<string, number>()
  const counted: Counted[] = []
  for (const [partition, to] of visible.timeline.ends.entries()) {
    await readRange(reader, { topic: outputTopic, partition, from: 0, to }, ({ key, value, offset }) => {
      if (key === null || value === null) return
      const row = system.readRow?.(key.toString(), value.toString()) ?? null
      if (row === null || !row.key.startsWith('device_type:') || row.key === `device_type:${liveDevice}`)
        return
      const time = visible.timeline.visibleAt(partition, offset)
      const logins = row.count - (counts.get(row.key) ?? 0)
      if (time !== null && logins !== 0) counted.push({ time, logins })
      counts.set(row.key, row.count)
    })
  }
  return counted
}

/** By the clock of all other times: the broker is on this machine, or on one with the same time. */
async function commitsOf({ reader, groupId }: SystemRun, inputTopic: string): Promise<Commit[]> {
  const ahead = systemClock.now() - systemClock.monotonic()
  const commits = await readGroupCommits(reader, groupId, inputTopic)
  return commits.map(({ time, logins }) => ({ time: time - ahead, logins }))
}
