import { Command } from 'commander'
import type { KafkaClient } from '../../ports/kafka.ts'
import type { Config } from '../config/index.ts'
import { counted, number } from '../format.ts'
import { type CommandContext, type Invocation, printJson } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { decimal, share, wholeNumber } from './option-values.ts'
import { startProgress } from './progress.ts'
import type { RecordSource } from './record-writer.ts'

interface Options {
  readonly rate?: number
  readonly count?: number
  readonly seed: number
  readonly invalid: number
  readonly late: number
  readonly users: number
  readonly skew: number
  readonly file?: string
  readonly json?: true
}

export function generateCommand({ context, finish }: Invocation): Command {
  return new Command('generate')
    .description('Write login events to the input topic, until Ctrl-C or for a count')
    .option('--rate <number>', 'records a second; as fast as possible if absent', wholeNumber(1, 10_000_000))
    .option(
      '--count <number>',
      'records to write; endless if absent',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option(
      '--seed <number>',
      'the same seed makes the same users and values',
      wholeNumber(0, 2 ** 32 - 1),
      1,
    )
    .option('--invalid <share>', 'share of invalid records, like 0.02 or 2%', share, 0)
    .option('--late <share>', 'share of logins that come up to two hours late', share, 0.01)
    .option('--users <number>', 'how many different users', wholeNumber(1, 10_000_000), 10_000)
    .option(
      '--skew <number>',
      'how much more frequent some locales, device types and versions are than others; 0: all alike',
      decimal(0, 10),
      1,
    )
    .option('--file <path>', 'replay a file of JSON lines, once, instead of making logins')
    .option('--json', 'print the result as JSON')
    .action(async (options: Options) => {
      const { withKafka } = await import('./session.ts')
      const isDone = await withKafka(context, 'generate', ({ config, kafka }) =>
        generate(context, kafka, config, options),
      )
      finish(isDone ? exitCodes.ok : context.stop.exitCode)
    })
}

/** Resolves with whether it has written all that it should; of what has no end that is any number. */
async function generate(
  context: CommandContext,
  kafka: KafkaClient,
  { appId, inputTopic: topic }: Config,
  options: Options,
): Promise<boolean> {
  const { writeRecords } = await import('./record-writer.ts')
  const { clock } = context
  const start = clock.monotonic()
  const progress = await startProgress(context)
  const stopListening = context.stop.listen()
  let written = { records: 0, invalid: 0 }
  let hasEnded = false
  let isWhole = false
  const { rate = null, count = Number.POSITIVE_INFINITY } = options
  try {
    isWhole = await writeRecords(await sourceOf(context, options), {
      ...{ kafka, clock, topic, rate, count },
      transactionalId: `${appId}-generate-${context.random.id()}`,
      isStopped: () => context.stop.isRequested,
      onWritten: (total) => {
        written = total
        if (Number.isFinite(count)) progress.update(topic, total.records, count)
      },
    })
    hasEnded = true
    return isWhole || (options.count === undefined && options.file === undefined)
  } finally {
    stopListening()
    progress.stop(isWhole)
    const seconds = (clock.monotonic() - start) / 1000
    // A failure that came before the first record has nothing to report but itself.
    if (hasEnded || written.records > 0) printResult(context, topic, written, seconds, options.json === true)
  }
}

async function sourceOf(context: CommandContext, options: Options): Promise<RecordSource> {
  const { seed, invalid: invalidShare, late: lateShare, users: userCount, skew, file } = options
  if (file !== undefined) {
    const { linesOf } = await import('./json-lines.ts')
    return linesOf(file, context.clock)
  }
  const { loginGenerator } = await import('../generator/login-generator.ts')
  return loginGenerator({ seed, invalidShare, lateShare, userCount, skew, clock: () => context.clock.now() })
}

function printResult(
  context: CommandContext,
  topic: string,
  { records, invalid }: { records: number; invalid: number },
  seconds: number,
  json: boolean,
): void {
  const perSecond = Math.round(records / Math.max(seconds, 0.001))
  if (json) {
    printJson(context, { topic, records, invalid, seconds, perSecond })
    return
  }
  const ofThese = invalid > 0 ? ` (${number(invalid)} of them invalid)` : ''
  context.out.write(
    `Wrote ${counted(records, 'record')}${ofThese} to ${topic} in ${seconds.toFixed(1)} s: ${number(perSecond)} a second.\n`,
  )
}
