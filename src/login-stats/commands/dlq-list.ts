import { Command, Option } from 'commander'
import type { CodeSummary, LetterRow } from '../dead-letters/list.ts'
import { letterCodes } from '../domain/letter-codes.ts'
import { type CommandContext, type Invocation, printJson } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { moment, wholeNumber } from './option-values.ts'
import { printable } from './printable.ts'

interface Options {
  readonly oldest?: true
  readonly code?: string
  readonly since?: number
  readonly limit: number
  readonly summary?: true
  readonly json?: true
}

export function dlqListCommand({ context, finish }: Invocation): Command {
  return new Command('list')
    .description('List the dead letters, the newest first; never what is in them')
    .option('--oldest', 'the oldest first')
    .addOption(codeOption('only those with this error'))
    .option(
      '--since <time>',
      'only those written since then: a date, or how long ago, like 2h',
      moment(() => context.clock.now()),
    )
    .option('--limit <number>', 'so many at the most', wholeNumber(1, 1_000_000), 50)
    .option('--summary', 'count them by their error instead')
    .option('--json', 'as a JSON array')
    .action(async (options: Options) => {
      const [{ withKafka }, { listLetters, summarizeLetters }] = await Promise.all([
        import('./session.ts'),
        import('../dead-letters/list.ts'),
      ])
      const { code = null, since = Number.NEGATIVE_INFINITY, limit } = options
      await withKafka(context, 'dlq', async ({ config, kafka }) => {
        const order = options.oldest ? ('oldest' as const) : ('newest' as const)
        const wanted = { kafka, clock: context.clock, config, order, limit, code, since }
        if (options.summary) await printSummary(context, await summarizeLetters(wanted), options)
        else await printRows(context, await listLetters(wanted), options)
      })
      finish(exitCodes.ok)
    })
}

export function codeOption(description: string): Option {
  return new Option('--code <code>', description).choices(letterCodes)
}

async function printRows(
  context: CommandContext,
  rows: readonly LetterRow[],
  options: Options,
): Promise<void> {
  if (options.json) {
    printJson(context, rows)
    return
  }
  if (rows.length === 0) {
    context.out.write('No dead letters.\n')
    return
  }
  const { plainTable } = await import('./plain-table.ts')
  const cells = rows.map(({ partition, offset, time, code, message, source, size, status }) => [
    `${partition}:${offset}`,
    time,
    code === null ? '-' : printable(code),
    message === null ? '-' : printable(message),
    source === null ? '-' : `${printable(source.topic)} ${source.partition}:${source.offset}`,
    String(size),
    status,
  ])
  const head = ['Place', 'Written', 'Error', 'Message', 'Source', 'Bytes', 'Status']
  context.out.write(`${plainTable(head, cells)}\n`)
  if (rows.length === options.limit) context.err.write(`The first ${options.limit}; --limit shows more.\n`)
}

async function printSummary(
  context: CommandContext,
  rows: readonly CodeSummary[],
  { json }: Options,
): Promise<void> {
  if (json) {
    printJson(context, rows)
    return
  }
  if (rows.length === 0) {
    context.out.write('No dead letters.\n')
    return
  }
  const { plainTable } = await import('./plain-table.ts')
  const cells = rows.map(({ code, count, waiting, oldest, newest }) => [
    code === null ? '-' : printable(code),
    count.toLocaleString('en'),
    waiting.toLocaleString('en'),
    oldest,
    newest,
  ])
  context.out.write(`${plainTable(['Error', 'Letters', 'Waiting', 'Oldest', 'Newest'], cells)}\n`)
}
