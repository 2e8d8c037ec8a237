import { join } from 'node:path'
import { Command, Option } from 'commander'
import { CodedError } from '../../errors.ts'
import type { LoginStatsTable } from '../table/index.ts'
import type { Selection } from '../table-view/select-rows.ts'
import { type CommandContext, hasColours, type Invocation, isForPeople, takesUtf8 } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { wholeNumber } from './option-values.ts'
import type { Session } from './session.ts'

export interface TableOptions {
  readonly watch?: true
  readonly json?: true
  readonly top?: number
  readonly least?: number
  readonly window?: string
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
    .option('--window <name>', 'order and bars by the logins in this rolling window, such as 5m')
    .option('--dimension <name>', 'only this one; may be given more than once', collect)
    .addHelpText('after', jsonHelp)
    .action(async (options: TableOptions) => {
      const isShown = await showTable(context, options)
      finish(isShown ? exitCodes.ok : context.stop.exitCode)
    })
}

const jsonHelp = `
Of the lines of --json --watch whoever keeps the last one of each key has the table: {"key":"...","deleted":true} says that a row is gone, and
{"restart":true} that all are, for the topic was made anew: its rows follow.`

function collect(name: string, before: readonly string[] = []): string[] {
  return [...before, name]
}

/** How a table is shown: told of every change, and asked to draw now and then. */
interface Show {
  changed(key: string): void
  /** The topic is another one now. */
  restarted(): void
  draw(): Promise<void>
  close(): Promise<void>
}

const drawEveryMs = 250

/**
 * Shows the table; with `watch` until it is asked to stop, on a terminal below the lines `above`, which are for people anyway. Resolves
 * with whether it has been shown, if only to a reader that has seen enough.
 */
export async function showTable(
  context: CommandContext,
  options: TableOptions,
  above: readonly string[] = [],
): Promise<boolean> {
  const [{ withKafka }, { LoginStatsTable }, { levelDatabaseOpener }, { refuseUnknown }] = await Promise.all([
    import('./session.ts'),
    import('../table/index.ts'),
    import('../../system/level-database.ts'),
    import('../table-view/select-rows.ts'),
  ])
  const isDrawing = options.watch === true && options.json !== true && isForPeople(context)
  const work = async (session: Session): Promise<boolean> => {
    const { clock, stop } = context
    const { config, kafka, log } = session
    const selection: Selection = {
      dimensions: options.dimension ?? [],
      counted: config.dimensions,
      order: options.least === undefined ? 'top' : 'least',
      window: options.window ?? null,
      limit: options.least ?? options.top ?? null,
    }
    // For a table that is too large for memory. Where nothing else can be written, this can.
    const directory = join(config.stateDir, config.appId)
    const table = LoginStatsTable.follow({
      ...{ kafka, clock, log, topic: config.outputTopic, databases: levelDatabaseOpener },
      directory,
    })
    if (!isDrawing) context.err.write(above.map((line) => `${line}\n`).join(''))
    const open = options.json || !isForPeople(context) ? plainShow : liveShow
    const show = await open(context, session, table, selection, options, above)
    table.on('change', ({ key }) => show.changed(key))
    table.on('restart', () => show.restarted())
    const stopListening = stop.listen()
    try {
      await Promise.race([table.untilReady(), stop.requested])
      let isDrawn = false
      while (!stop.isRequested && !context.out.isGone && (options.watch || !isDrawn)) {
        if (isDrawn || table.isComplete) {
          isDrawn = await whereRead(async () => {
            if (!isDrawn) await refuseUnknown(table, selection)
            await show.draw()
          }, isDrawn)
          // What changes until a slow reader has taken it is written once, not as often as it changes.
          await Promise.race([context.out.drained(), stop.requested])
        }
        if (options.watch || !isDrawn) await Promise.race([clock.sleep(drawEveryMs), stop.requested])
      }
      return isDrawn || options.watch === true
    } finally {
      stopListening()
      await show.close()
      await table.close()
    }
  }
  return await withKafka(context, 'table', work, { isQuiet: isDrawing })
}

/** Draws; returns whether it has ever been drawn. While the table is started over there is nothing to draw: it comes with the next time. */
async function whereRead(draw: () => Promise<void>, before: boolean): Promise<boolean> {
  try {
    await draw()
    return true
  } catch (error) {
    if (error instanceof CodedError && error.code === 'TABLE_NOT_READ') return before
    throw error
  }
}

/** For people at a terminal: drawn in place while it is watched. */
async function liveShow(
  context: CommandContext,
  session: Session,
  table: LoginStatsTable,
  selection: Selection,
  { watch }: TableOptions,
  above: readonly string[],
): Promise<Show> {
  const [{ inAscii }, { LiveView }, { renderTable }, { selectRows }, { WatchStatus }, { default: pc }] =
    await Promise.all([
      import('../table-view/ascii.ts'),
      import('../table-view/live-view.ts'),
      import('../table-view/render.ts'),
      import('../table-view/select-rows.ts'),
      import('../table-view/watch-status.ts'),
      import('picocolors'),
    ])
  const colours = pc.createColors(hasColours(context))
  const view = new LiveView(context.out, above)
  const drawn = (lines: string[]) => (takesUtf8(context) ? lines : lines.map(inAscii))
  const { window } = selection
  if (!watch) {
    return {
      changed: () => undefined,
      restarted: () => undefined,
      draw: async () => {
        const rows = await selectRows(table, { ...selection, limit: selection.limit ?? 10 })
        const text = renderTable(rows, { columns: view.size.columns, lines: null, colours, window })
        context.out.write(`${drawn(text).join('\n')}\n`)
      },
      close: async () => undefined,
    }
  }
  const status = new WatchStatus(context.clock, session, table)
  return {
    changed: () => undefined,
    restarted: () => undefined,
    draw: async () => {
      const { columns, lines } = view.size
      // Before its rows are read: they are no older.
      const { currentAt } = table
      // No more than the screen can show, however many there are.
      const rows = await selectRows(table, { ...selection, limit: Math.min(selection.limit ?? lines, lines) })
      status.note(
        rows.flatMap((dimension) => dimension.rows),
        currentAt,
      )
      const { ratePerSecond, sparklines, parts } = status
      const frame = { columns, lines, colours, window, ratePerSecond, sparklines, status: parts }
      view.draw(drawn(renderTable(rows, frame)))
    },
    close: async () => {
      await status.close()
    },
  }
}

/** For programs. */
async function plainShow(
  context: CommandContext,
  _session: Session,
  table: LoginStatsTable,
  selection: Selection,
  { json }: TableOptions,
): Promise<Show> {
  const { PlainView } = await import('../table-view/plain-view.ts')
  const view = new PlainView((text) => context.out.write(text), table, selection, { isJson: json === true })
  return {
    changed: (key) => view.changed(key),
    restarted: () => view.restarted(),
    draw: () => view.draw(),
    close: async () => undefined,
  }
}
