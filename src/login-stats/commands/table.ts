import { Command, Option } from 'commander'
import type { Selection } from '../table-view/table-rows.ts'
import { type CommandContext, hasColours, type Invocation, isForPeople } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { wholeNumber } from './option-values.ts'

export interface TableOptions {
  readonly watch?: true
  readonly json?: true
  readonly top?: number
  readonly least?: number
  readonly dimension?: readonly string[]
}

export function tableCommand({ context, finish }: Invocation): Command {
  const many = wholeNumber(1, 1_000_000)
  return new Command('table')
    .description('Show the table: of each dimension the rows with the most logins')
    .option('--watch', 'go on showing it as it changes, until Ctrl-C')
    .option('--json', 'a line of JSON for each row; with --watch, for each change')
    .option('--top <number>', 'so many rows of each dimension, those with the most logins first', many)
    .addOption(
      new Option('--least <number>', 'the same, those with the fewest first')
        .argParser(many)
        .conflicts('top'),
    )
    .option('--dimension <name>', 'only this one; may be given more than once', collect)
    .action(async (options: TableOptions) => {
      await showTable(context, options)
      finish(exitCodes.ok)
    })
}

function collect(name: string, before: readonly string[] = []): string[] {
  return [...before, name]
}

/** How a table is shown: told of every change, and asked to draw now and then. */
interface Show {
  changed(key: string): void
  draw(): void
  close(): void
}

const drawEveryMs = 250

/** Shows the table; with `watch` until SIGINT or SIGTERM. */
export async function showTable(context: CommandContext, options: TableOptions): Promise<void> {
  const [{ withKafka }, { followTable }, { TableRows }] = await Promise.all([
    import('./session.ts'),
    import('../table-view/table-reader.ts'),
    import('../table-view/table-rows.ts'),
  ])
  const rows = new TableRows()
  const selection: Selection = {
    dimensions: options.dimension ?? [],
    order: options.least === undefined ? 'top' : 'least',
    limit: options.least ?? options.top ?? null,
  }
  const show = await (options.json || !isForPeople(context) ? plainShow : liveShow)(
    context,
    rows,
    selection,
    options,
  )
  await withKafka(context, 'table', async ({ config, kafka }) => {
    const { clock } = context
    let drawnAt = Number.NEGATIVE_INFINITY
    let isStopped = false
    const stopListening = context.onTermination(() => {
      isStopped = true
    })
    try {
      await followTable({
        kafka,
        clock,
        topic: config.outputTopic,
        onRow: (key, row) => {
          rows.apply(key, row)
          show.changed(key)
        },
        isDone: (caughtUp) => {
          if (caughtUp && clock.monotonic() - drawnAt >= drawEveryMs) {
            drawnAt = clock.monotonic()
            show.draw()
          }
          return isStopped || (caughtUp && !options.watch)
        },
      })
    } finally {
      stopListening()
      show.close()
    }
  })
}

type Rows = InstanceType<typeof import('../table-view/table-rows.ts').TableRows>

/** For people at a terminal: drawn in place while it is watched. */
async function liveShow(
  context: CommandContext,
  rows: Rows,
  selection: Selection,
  { watch }: TableOptions,
): Promise<Show> {
  const [{ LiveView }, { renderTable }, { default: pc }] = await Promise.all([
    import('../table-view/live-view.ts'),
    import('../table-view/render.ts'),
    import('picocolors'),
  ])
  const colours = pc.createColors(hasColours(context))
  const view = new LiveView(context.out)
  return {
    changed: () => undefined,
    draw: () => {
      const { columns, lines } = view.size
      if (watch) view.draw(renderTable(rows.select(selection), { columns, lines, colours }))
      else {
        const limit = selection.limit ?? 10
        const text = renderTable(rows.select({ ...selection, limit }), { columns, lines: null, colours })
        context.out.write(`${text.join('\n')}\n`)
      }
    },
    close: () => (watch ? view.close() : undefined),
  }
}

/** For programs: first all selected rows, a line each, and while it is watched those that change. */
async function plainShow(
  context: CommandContext,
  rows: Rows,
  selection: Selection,
  { json }: TableOptions,
): Promise<Show> {
  const { rowLine } = await import('../table-view/render.ts')
  const changed = new Set<string>()
  let isFirst = true
  return {
    changed: (key) => changed.add(key),
    draw: () => {
      const selected = rows.select(isFirst ? selection : { ...selection, limit: null })
      const lines = selected
        .flatMap((dimension) => dimension.rows)
        .filter(({ key }) => isFirst || changed.has(key))
        .map((row) => `${json ? JSON.stringify(row) : rowLine(row)}\n`)
      if (lines.length > 0) context.out.write(lines.join(''))
      changed.clear()
      isFirst = false
    },
    close: () => undefined,
  }
}
