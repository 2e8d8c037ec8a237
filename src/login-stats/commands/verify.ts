import { Command } from 'commander'
import type { VerifyReport } from '../../verify/index.ts'
import { type CommandContext, hasColours, type Invocation, printJson } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { startProgress } from './progress.ts'
import { waitForKafka } from './session.ts'

const exitCodeOf = { equal: exitCodes.ok, different: exitCodes.different, impossible: exitCodes.impossible }
const mostShown = 20

interface Options {
  readonly json?: true
  readonly dlq: boolean
}

export function verifyCommand({ context, finish }: Invocation): Command {
  return new Command('verify')
    .description(
      'Count the input again, independently, and compare with the changelog, the table and the dead letters',
    )
    .option('--json', 'print the report as JSON')
    .option('--no-dlq', 'leave out the dead letters (after a reset they hold records of both runs)')
    .addHelpText(
      'after',
      '\nExit codes: 0 equal, 1 failed, 3 different, 4 cannot tell: the start of the input is gone, or nothing is counted yet',
    )
    .action(async (options: Options) => {
      const report = await verifyWith(context, options)
      if (options.json) printJson(context, report)
      else await printReport(context, report)
      finish(isNothingCounted(report) ? exitCodes.impossible : exitCodeOf[report.verdict])
    })
}

/** There is an input, and no processor has counted any of it: that is no agreement. */
function isNothingCounted({ verdict, keys, caughtUp }: VerifyReport): boolean {
  return verdict === 'equal' && keys === 0 && !caughtUp
}

async function verifyWith(context: CommandContext, { dlq }: Options): Promise<VerifyReport> {
  const [{ kafkaSecurity, loadConfig }, { verify }] = await Promise.all([
    import('../config/index.ts'),
    import('../../verify/index.ts'),
  ])
  const config = loadConfig(context.environment)
  await waitForKafka(context, config)
  const progress = await startProgress(context)
  try {
    return await verify({
      connection: { brokers: config.brokers, ...kafkaSecurity(config) },
      appId: config.appId,
      inputTopic: config.inputTopic,
      outputTopic: config.outputTopic,
      dlqTopic: dlq ? config.dlqTopic : null,
      rules: {
        dimensions: config.dimensions,
        maxClockSkewMs: config.maxClockSkewMs,
        windows: config.rollingWindows,
        panes: config.rollingPanes,
      },
      fingerprint: {
        DIMENSIONS: config.sources.dimensions.text,
        ROLLING_WINDOWS: config.sources.rollingWindows.text,
        ROLLING_PANES: String(config.rollingPanes),
      },
      clock: context.clock,
      onProgress: (phase, done, total) => progress.update(phase, done, total),
    })
  } finally {
    progress.stop()
  }
}

async function printReport(context: CommandContext, report: VerifyReport): Promise<void> {
  const { default: pc } = await import('picocolors')
  const colours = pc.createColors(hasColours(context))
  const verdicts = {
    equal: colours.green('Equal: the changelog and the table hold exactly what the input gives.'),
    different: colours.red(`Different: ${report.differenceCount} differences.`),
    impossible: colours.yellow(
      'Cannot tell: the first records of the input are gone, so it cannot be counted again. What is left is all counted.',
    ),
  }
  const number = (value: number) => value.toLocaleString('en')
  const { logins, deadLetters, startGone, differences } = report
  const lines = [
    isNothingCounted(report)
      ? colours.yellow('Nothing has been counted yet: start the processor (login-stats run).')
      : verdicts[report.verdict],
    `  input         ${number(logins.valid)} valid and ${number(logins.invalid)} invalid records`,
    `  keys          ${number(report.keys)} compared`,
    `  dead letters  ${deadLetters === null ? 'not compared' : `${number(deadLetters.found)} of ${number(deadLetters.expected)}`}`,
    `  stream time   ${report.streamTime ?? 'none yet'}`,
    `  caught up     ${report.caughtUp ? 'yes' : 'no: compared up to the positions that are counted'}`,
    ...(report.staleRows === 0
      ? []
      : [`  stale rows    ${number(report.staleRows)}, rolling counts right as of their own time only`]),
    ...(startGone.length === 0 ? [] : [`  start is gone in partition ${startGone.join(', ')} of the input`]),
    ...(report.verdict === 'different' && differences.every(({ where }) => where === 'dead letters')
      ? [
          '  Only the dead letters differ. After a reset they hold records of both runs: compare with --no-dlq.',
        ]
      : []),
    ...report.notes.map((note) => `  ${note}`),
    ...differences.slice(0, mostShown).map(({ where, what, key, partition, expected, found }) => {
      return `  ${where} [${partition}] ${JSON.stringify(key)} ${what}: expected ${expected}, found ${found}`
    }),
    ...(report.differenceCount > mostShown ? ['  ... (--json shows more)'] : []),
  ]
  context.out.write(`${lines.join('\n')}\n`)
}
