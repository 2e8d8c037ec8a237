import { Command, Option } from 'commander'
import type { CodeSummary, LetterRow } from '../dead-letters/list.ts'
import { letterCodes } from '../domain/letter-codes.ts'
import { number } from '../format.ts'
import { printable } from '../printable.ts'
import { type CommandContext, type Invocation, printJson } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { moment, wholeNumber } from './option-values.ts'

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
  // The message says little more than the code; `dlq show` and --json have it.
  const head = ['Place', 'Written', 'Error', 'Source', 'Bytes', 'Status']
  await print(context, rows, options, head, ({ code, source, ...row }) => [
    `${row.partition}:${row.offset}`,
    row.time,
    code === null ? '-' : printable(code),
    source === null ? '-' : `${printable(source.topic)} ${source.partition}:${source.offset}`,
    number(row.size),
    row.status,
  ])
  if (rows.length === options.limit && !options.json) {
    const end = options.oldest ? 'oldest' : 'newest'
    const many = rows.length === 1 ? 'one' : number(rows.length)
    context.err.write(`The ${end} ${many}; there may be more: see --limit.\n`)
  }
}

async function printSummary(
  context: CommandContext,
  rows: readonly CodeSummary[],
  options: Options,
): Promise<void> {
  const head = ['Error', 'Letters', 'Waiting', 'Oldest', 'Newest']
  await print(context, rows, options, head, ({ code, count, waiting, oldest, newest }) => [
    code === null ? '-' : printable(code),
    number(count),
    number(waiting),
    oldest,
    newest,
  ])
}

async function print<Row>(
  context: CommandContext,
  rows: readonly Row[],
  { json }: Options,
  head: readonly string[],
  cellsOf: (row: Row) => readonly string[],
): Promise<void> {
  if (json) {
    printJson(context, rows)
    return
  }
  if (rows.length === 0) {
    context.out.write('No dead letters.\n')
    return
  }
  const { plainTable } = await import('../plain-table.ts')
  context.out.write(`${plainTable(head, rows.map(cellsOf))}\n`)
}
