/**
 * `npm run bench`: ourselves and the peers, on one broker, interleaved and repeated. Writes results.json, RESULTS.md and plots.
 *
 *   npm run bench                                    everything: an hour or two
 *   npm run bench -- --quick                         small: shows that every row works; written to bench/quick
 *   npm run bench -- --row counts --system login-stats kafka-streams
 *   npm run bench -- --render                        RESULTS.md and plots once more from results.json
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { onTermination } from '../src/system/process.ts'
import { machineOf, revisionOfSources } from './conditions.ts'
import { measureRows, warmUp } from './measure/all-rows.ts'
import { formatValue, labelOf } from './report/format.ts'
import { type Measurement, type Results, readResults, writeResults } from './report/results.ts'
import { writeReport } from './report/write.ts'
import { rows, type Scale } from './rows/index.ts'
import { Session } from './session.ts'
import { type System, SystemUnavailable, systems } from './systems/index.ts'

interface Options {
  readonly quick: boolean
  readonly row?: readonly string[]
  readonly system?: readonly string[]
  readonly repeats?: number
  readonly logins?: number
  readonly output?: string
  readonly render: boolean
}

const options = new Command('bench')
  .description('Measures the processor and its peers side by side')
  .option('--quick', 'small sizes, one round: shows that every row works', false)
  .addOption(new Option('--row <name...>', 'only these rows').choices(rows.map(({ name }) => name)))
  .addOption(new Option('--system <name...>', 'only these systems').choices(systems.map(({ name }) => name)))
  .option('--repeats <n>', 'rounds (default: 3, with --quick 1)', positive)
  .option('--logins <n>', 'logins in the first rows (default: 5000000, with --quick 200000)', positive)
  .option('--output <directory>', 'where results go (default: bench, with --quick bench/quick)')
  .option('--render', 'measure nothing: render results.json once more', false)
  .parse()
  .opts<Options>()

const output = options.output ?? (options.quick ? join(import.meta.dirname, 'quick') : import.meta.dirname)
const resultsPath = join(output, 'results.json')

if (options.render) await writeReport(output, readResults(resultsPath))
else process.exitCode = await measure()

/** Returns the exit code: 1 where anything failed, or systems have counted differently. */
async function measure(): Promise<number> {
  const scale: Scale = {
    logins: options.logins ?? (options.quick ? 200_000 : 5_000_000),
    warmUpSeconds: options.quick ? 3 : 20,
    latencySeconds: options.quick ? 5 : 30,
    quick: options.quick,
  }
  const repeats = options.repeats ?? (options.quick ? 1 : 3)
  let isStopped = false
  onTermination(() => {
    if (isStopped) process.exit(130)
    isStopped = true
    console.log('Stopping after the measurement under way; once more ends it at once')
  })
  const { ready, results: known } = await prepareSystems()
  const session = await Session.open(console.log)
  const results: Results = {
    startedAt: new Date().toISOString(),
    endedAt: new Date().toISOString(),
    revision: revisionOfSources(),
    quick: options.quick,
    repeats,
    logins: scale.logins,
    machine: machineOf(session.broker),
    ...known,
    measurements: [],
  }
  mkdirSync(output, { recursive: true })
  try {
    const wanted = rows.filter(({ name }) => options.row?.includes(name) ?? true)
    const plan = { rows: wanted, systems: ready, scale, repeats }
    if (!options.quick) {
      console.log('Warming the broker up')
      await warmUp(session, plan)
    }
    await measureRows(session, {
      ...plan,
      isStopped: () => isStopped,
      onMeasured(measurement) {
        console.log(lineOf(measurement))
        results.measurements.push(measurement)
        results.endedAt = new Date().toISOString()
        writeResults(resultsPath, results)
      },
    })
  } finally {
    await session.close()
  }
  await writeReport(output, results)
  const failed = results.measurements.filter(({ failure }) => failure !== undefined)
  console.log(
    `${results.measurements.length} measurements, ${failed.length} failed; see ${join(output, 'RESULTS.md')}`,
  )
  return failed.length === 0 ? 0 : 1
}

async function prepareSystems(): Promise<{
  readonly ready: readonly System[]
  readonly results: Pick<Results, 'systems' | 'skipped'>
}> {
  const ready: System[] = []
  const known: Results['systems'][number][] = []
  const skipped: Results['skipped'][number][] = []
  for (const system of systems.filter(({ name }) => options.system?.includes(name) ?? true)) {
    const { name, title } = system
    try {
      known.push({ name, title, version: await system.prepare(console.log) })
      ready.push(system)
    } catch (error) {
      if (!(error instanceof SystemUnavailable)) throw error
      skipped.push({ name, title, reason: error.message })
      console.log(`${title} is left out: ${error.message}`)
    }
  }
  return { ready, results: { systems: known, skipped } }
}

function lineOf({ row, variant, system, repeat, values, failure }: Measurement): string {
  const place = [row, variant, system, `round ${repeat}`].filter(Boolean).join(', ')
  const said = Object.entries(values).map(
    ([metric, value]) => `${labelOf(metric)} ${formatValue(metric, value)}`,
  )
  return `${place}: ${failure === undefined ? said.join(', ') : `FAILED: ${failure}`}`
}

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('A whole number above 0 is expected.')
  return value
}
