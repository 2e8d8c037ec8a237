/** A backlog: from the start of the process until all of it is visible as counts. */
import { systemClock } from '../../src/system/clock.ts'
import { readRange } from '../../src/verify/index.ts'
import type { InputShape } from '../input/input-topic.ts'
import type { Session } from '../session.ts'
import type { Launched, System } from '../systems/index.ts'
import type { Measured } from './row.ts'
import { countsOf, type RunOptions, SystemRun } from './system-run.ts'

/** An input, and what differs from the job of the first row. */
export interface Backlog
  extends InputShape,
    Partial<Pick<RunOptions, 'dimensions' | 'rollingWindows' | 'threads' | 'enriched'>> {
  readonly instances?: number
}

/** With many partitions a look at the offsets costs more, and so comes less often. */
const pollMsPerPartition = 2
const shortestPollMs = 15

export async function measureBacklog(session: Session, system: System, backlog: Backlog): Promise<Measured> {
  const { logins, partitions, compression, users, instances = 1, ...settings } = backlog
  const inputTopic = await session.inputs.topic({ logins, partitions, compression, users })
  const pollMs = Math.max(shortestPollMs, pollMsPerPartition * partitions)
  const options = { ...countsOf({ inputTopic, partitions, logins, pollMs }), ...settings }
  return SystemRun.with(session, system, options, async (run) => {
    const startedAt = systemClock.monotonic()
    const launched: Launched[] = []
    for (let instance = 0; instance < instances; instance++) launched.push(await run.launch(instance))
    const { counts, endedAt, firstAt } =
      run.table === null ? await limitEnd(launched) : await tableEnd(run, logins)
    const seconds = (endedAt - startedAt) / 1000
    const { peakRssBytes, cpuSeconds } = run.usage()
    await checkEnriched(run, logins)
    return {
      counts,
      values: {
        logins,
        keys: counts.size,
        seconds,
        loginsPerSecond: logins / seconds,
        ...(firstAt === null ? {} : { firstRowSeconds: (firstAt - startedAt) / 1000 }),
        ...(peakRssBytes === null ? {} : { peakRssMB: peakRssBytes / 1e6 }),
        ...(cpuSeconds === null ? {} : { cpuSeconds }),
      },
    }
  })
}

interface End {
  readonly counts: ReadonlyMap<string, number>
  readonly endedAt: number
  readonly firstAt: number | null
}

async function tableEnd(run: SystemRun, logins: number): Promise<End> {
  await run.complete(logins)
  const table = run.visible
  return { counts: table.contents.counts, endedAt: table.completedAt(), firstAt: table.timeline.firstAt() }
}

async function limitEnd(launched: readonly Launched[]): Promise<End> {
  const [first] = launched
  if (first === undefined) throw new Error('Nothing was started.')
  const { line, arrivedAt } = await first.line('counted')
  return {
    counts: new Map(Object.entries(line.counts as Record<string, number>)),
    endedAt: arrivedAt,
    firstAt: null,
  }
}

/** An enriched record becomes visible before the counts of its login do, or with them: so all must be there now, each once. */
async function checkEnriched({ reader, enrichedTopic }: SystemRun, logins: number): Promise<void> {
  if (enrichedTopic === null) return
  let records = 0
  for (const [partition, to] of (await reader.offsets(enrichedTopic, 'lastStable')).entries()) {
    await readRange(reader, { topic: enrichedTopic, partition, from: 0, to }, () => {
      records++
    })
  }
  if (records !== logins) throw new Error(`${records} enriched records were visible of ${logins} logins.`)
}
