import { Command } from 'commander'
import type { VerifyReport } from '../../verify/index.ts'
import { type CommandContext, hasColours, type Invocation, printJson } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { wholeNumber } from './option-values.ts'
import { startProgress } from './progress.ts'
import { waitForKafka } from './session.ts'
import { isNothingCounted, reportLines } from './verify-text.ts'

const exitCodeOf = { equal: exitCodes.ok, different: exitCodes.different, impossible: exitCodes.impossible }

interface Options {
  readonly json?: true
  readonly dlq: boolean
  readonly passes: number
}

export function verifyCommand({ context, finish }: Invocation): Command {
  return new Command('verify')
    .description(
      'Count the input again, independently, and compare with the changelog, the table and the dead letters',
    )
    .option('--json', 'print the report as JSON')
    .option('--no-dlq', 'leave out the dead letters (after a reset they hold records of both runs)')
    .option(
      '--passes <number>',
      'read everything so many times, each time for a part of the keys, for less memory; a million keys take about 1 GB, and more at once are never held',
      wholeNumber(1, 1000),
      1,
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 equal, 1 failed, 3 different, 4 cannot tell: the input that was counted is gone, or nothing is counted yet',
    )
    .action(async (options: Options) => {
      const report = await verifyWith(context, options)
      if (options.json) printJson(context, report)
      else await printReport(context, report)
      finish(isNothingCounted(report) ? exitCodes.impossible : exitCodeOf[report.verdict])
    })
}

async function verifyWith(context: CommandContext, { dlq, passes }: Options): Promise<VerifyReport> {
  const [{ kafkaSecurity, loadConfig }, { verify }] = await Promise.all([
    import('../config/index.ts'),
    import('../../verify/index.ts'),
  ])
  const config = loadConfig(context.environment)
  await waitForKafka(context, config)
  const progress = await startProgress(context)
  let isDone = false
  try {
    const report = await verify({
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
      passes,
      onProgress: (phase, done, total, pass) => {
        progress.update(pass.of === 1 ? phase : `${phase} ${pass.number}/${pass.of}`, done, total)
      },
    })
    isDone = true
    return report
  } finally {
    progress.stop(isDone)
  }
}

async function printReport(context: CommandContext, report: VerifyReport): Promise<void> {
  const [{ default: pc }, { loadConfig }] = await Promise.all([
    import('picocolors'),
    import('../config/index.ts'),
  ])
  const { appId } = loadConfig(context.environment)
  const colours = pc.createColors(hasColours(context))
  context.out.write(`${reportLines(report, `${appId}-counts-changelog`, colours).join('\n')}\n`)
}
