import { Command, Option } from 'commander'
import type { ReplayReport } from '../dead-letters/replay.ts'
import { counted } from '../format.ts'
import { type CommandContext, type Invocation, printJson } from './context.ts'
import { codeOption } from './dlq-list.ts'
import { exitCodes } from './exit-codes.ts'
import { wholeNumber } from './option-values.ts'
import { startProgress } from './progress.ts'
import type { Session } from './session.ts'

interface Options {
  readonly code?: string
  readonly limit?: number
  readonly rate?: number
  readonly dryRun?: true
  readonly repeated?: 'skip' | 'write'
  readonly json?: true
}

export function dlqReplayCommand({ context, finish }: Invocation): Command {
  return new Command('replay')
    .description('Write dead letters back to the input as the records they were, each at most once')
    .addOption(codeOption('only those with this error'))
    .option('--limit <number>', 'so many at the most', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--rate <number>', 'so many a second; as fast as possible if absent', wholeNumber(1, 10_000_000))
    .option('--dry-run', 'say what would be done, and do nothing')
    .addOption(
      new Option(
        '--repeated <what>',
        'letters of records that a replay had passed before the input was read once more: skip them, or vouch that they were not written back',
      ).choices(['skip', 'write']),
    )
    .option('--json', 'print the result as JSON')
    .addHelpText('after', help)
    .action(async (options: Options) => {
      const report = await replayWith(context, options)
      if (options.json) printJson(context, jsonOf(report, options))
      else context.out.write(`${sentences(report, options).join('\n')}\n`)
      finish(isCutShort(context, report) ? context.stop.exitCode : exitCodes.ok)
    })
}

const help = `
What is written back is judged again, with the time of now. How far a replay got is committed with the records themselves, so that
one that was killed goes on where it stopped. Only what is there at the start is replayed: what fails again waits for the next time.`

/** How long the transaction under way may take to end after a signal; what it leaves open the next replay settles. */
const commitWithinMs = 5000

async function replayWith(context: CommandContext, options: Options): Promise<ReplayReport> {
  const [{ withKafka }, { replay }] = await Promise.all([
    import('./session.ts'),
    import('../dead-letters/replay.ts'),
  ])
  const { clock } = context
  const progress = await startProgress(context)
  const work = ({ config, kafka, log }: Session) =>
    replay({
      ...{ kafka, clock, log, config },
      code: options.code ?? null,
      limit: options.limit ?? Number.POSITIVE_INFINITY,
      rate: options.rate ?? null,
      isDryRun: options.dryRun ?? false,
      repeated: options.repeated ?? 'ask',
      isStopped: () => context.stop.isRequested,
      onProgress: (done, total) => progress.update('replay', done, total),
    })
  let isDone = false
  try {
    const report = await withKafka(context, 'dlq', work, { graceMs: commitWithinMs })
    isDone = !isCutShort(context, report)
    return report
  } finally {
    progress.stop(isDone)
  }
}

/** By a signal: there was more to do than it did. */
function isCutShort({ stop }: CommandContext, { isComplete }: ReplayReport): boolean {
  return stop.isRequested && !isComplete
}

function jsonOf(report: ReplayReport, { dryRun }: Options): object {
  const { replay, done, repeated, held, truncated, foreign, deleted, isComplete } = report
  return {
    dry_run: dryRun ?? false,
    replayed: replay,
    already_replayed: done,
    ...{ repeated, held },
    other_code: report['other-code'],
    ...{ truncated, foreign, deleted },
    complete: isComplete,
  }
}

/** For people. */
export function sentences(
  report: ReplayReport,
  { dryRun, code, repeated: choice }: Pick<Options, 'dryRun' | 'code' | 'repeated'>,
): string[] {
  const { replay, done, repeated, held, truncated, foreign, deleted, isComplete } = report
  const of = code === undefined ? '' : ` of ${code}`
  const lines = [
    dryRun ? `Would write back ${letters(replay)}${of}.` : `Wrote back ${letters(replay)}${of}.`,
    ...when(done, `${letters(done)} had been replayed before.`),
    ...when(
      repeated,
      `A replay had passed the records of ${letters(repeated)} before the input was read once more${choice === undefined ? ': say with --repeated what becomes of them.' : '.'}`,
    ),
    ...when(held, `Until then ${letters(held)} behind them wait too.`),
    ...when(
      truncated,
      `${letters(truncated)} cannot be replayed: a part of the record is gone (see dlq list).`,
    ),
    ...when(foreign, `Left alone: ${letters(foreign)} that came from elsewhere.`),
    ...when(deleted, `Retention deleted ${counted(deleted, 'offset')} before any replay.`),
  ]
  const isHeldBack = repeated > 0 && choice === undefined
  return isComplete || isHeldBack ? lines : [...lines, 'There is more: the next replay goes on from here.']
}

function when(count: number, line: string): string[] {
  return count > 0 ? [line] : []
}

function letters(count: number): string {
  return counted(count, 'dead letter')
}
