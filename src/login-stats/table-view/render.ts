/** The table as lines of text for a terminal of a given width and height. */
import Table from 'cli-table3'
import type pc from 'picocolors'
import { TOTAL_KEY } from '../domain/dimensions.ts'
import { counted, number } from '../format.ts'
import { noLines } from '../plain-table.ts'
import { printable } from '../printable.ts'
import type { KeyedRow } from '../table/index.ts'
import { loginsOf } from '../table/row-order.ts'
import type { DimensionRows } from './select-rows.ts'
import type { Sparklines } from './sparklines.ts'

export type Colours = ReturnType<typeof pc.createColors>

export interface RenderOptions {
  /** Width in characters; no line is wider, unless this is below 20. */
  readonly columns: number
  /** Height in lines; null: as many as there are. */
  readonly lines: number | null
  readonly colours: Colours
  /** Bars show the logins in this rolling window; all if null or absent. */
  readonly window?: string | null
  /** Logins a second, where they are known. */
  readonly ratePerSecond?: number | null
  /** A column of sparklines. */
  readonly sparklines?: Sparklines
  /** Short texts below the title. */
  readonly status?: readonly string[]
}

const narrowestBar = 8
const widestBar = 40
const widestValue = 28
const narrowestValue = 8

/** `given` with the total's dimension first, as `selectRows` gives them. */
export function renderTable(given: readonly DimensionRows[], options: RenderOptions): string[] {
  const { lines } = options
  const dimensions = given.map(printableRows)
  const total = dimensions.find(({ dimension }) => dimension === TOTAL_KEY)?.rows[0]
  const others = dimensions.filter(({ dimension }) => dimension !== TOTAL_KEY)
  const windows = Object.keys((total ?? others[0]?.rows[0])?.rolling ?? {})
  const newest = dimensions.flatMap(({ rows }) => rows.map(({ as_of }) => as_of)).reduce(later, '')
  const head = headLines(total, newest, windows, options)

  const { blocks, gap } = fitInto(lines === null ? null : lines - head.length, others)
  const layout = layOut(blocks, windows, options)
  const all = [...head, ...blocks.flatMap((block) => [...gap, ...renderBlock(block, layout, options)])]
  return lines === null ? all : all.slice(0, lines)
}

/** What is shown of them is ours from here on; keys and names of windows are still looked up by. */
function printableRows({ dimension, rows, keyCount }: DimensionRows): DimensionRows {
  const row = (one: KeyedRow) => ({ ...one, value: printable(one.value), as_of: printable(one.as_of) })
  return { dimension: printable(dimension), rows: rows.map(row), keyCount }
}

function headLines(
  total: KeyedRow | undefined,
  newest: string,
  windows: readonly string[],
  { columns, colours, ratePerSecond = null, status = [] }: RenderOptions,
): string[] {
  const pace = ratePerSecond === null ? '' : `, ${number(ratePerSecond)}/s`
  const logins =
    total === undefined ? [] : [{ text: `${counted(total.count, 'login')}${pace}`, style: colours.bold }]
  const dim = (text: string) => ({ text, style: colours.dim })
  const rolling =
    total === undefined ? [] : windows.map((name) => `${printable(name)} ${number(loginsOf(total, name))}`)
  return [
    ...(newest === '' ? ['No logins yet'] : wrapped([...logins, dim(`as of ${readable(newest)}`)], columns)),
    ...wrapped(
      rolling.map((text, at) => dim(at === 0 ? `last ${text}` : text)),
      columns,
    ),
    ...wrapped(
      status.map((text) => dim(printable(text))),
      columns,
    ),
  ]
}

interface Part {
  readonly text: string
  style(text: string): string
}

/** In as few lines as hold them; one that is wider than a line is cut. */
function wrapped(parts: readonly Part[], columns: number): string[] {
  const lines: string[] = []
  let room = 0
  for (const { text, style } of parts) {
    const part = text.slice(0, columns)
    const isNext = lines.length > 0 && between.length + part.length <= room
    lines.push((isNext ? `${lines.pop()}${between}` : '') + style(part))
    room = (isNext ? room - between.length : columns) - part.length
  }
  return lines
}

const between = '   '

interface Fitted {
  readonly blocks: readonly DimensionRows[]
  /** Before each of them. */
  readonly gap: readonly string[]
}

/** As many rows as there is room for, a row for each dimension in turn; the gaps go first, then whole dimensions from the last on. */
function fitInto(lines: number | null, dimensions: readonly DimensionRows[]): Fitted {
  if (lines === null) return { blocks: dimensions, gap: [''] }
  const heightOf = (block: DimensionRows, rows: number) => 1 + rows + (rows < block.keyCount ? 1 : 0)
  let gap = ['']
  let rowCounts = dimensions.map(() => 1)
  const height = () =>
    rowCounts.reduce((sum, rows, at) => {
      const block = dimensions[at]
      return block === undefined ? sum : sum + gap.length + heightOf(block, rows)
    }, 0)
  if (height() > lines) gap = []
  while (height() > lines && rowCounts.length > 1) rowCounts = rowCounts.slice(0, -1)
  for (let isGrowing = true; isGrowing; ) {
    isGrowing = false
    for (const [at, rows] of rowCounts.entries()) {
      if (rows >= (dimensions[at]?.rows.length ?? 0)) continue
      rowCounts[at] = rows + 1
      if (height() <= lines) isGrowing = true
      else rowCounts[at] = rows
    }
  }
  const blocks = dimensions.slice(0, rowCounts.length)
  return { blocks: blocks.map((block, at) => ({ ...block, rows: block.rows.slice(0, rowCounts[at]) })), gap }
}

interface Layout {
  readonly valueWidth: number
  readonly countWidth: number
  /** 0: no bar. */
  readonly barWidth: number
  /** 0: no sparkline. */
  readonly sparkWidth: number
  /** Those that there is room for. */
  readonly windows: readonly { readonly name: string; readonly width: number }[]
}

/** The same columns for all dimensions, so that they stand below one another. */
function layOut(
  blocks: readonly DimensionRows[],
  names: readonly string[],
  { columns, sparklines }: RenderOptions,
): Layout {
  const rows = blocks.flatMap((block) => block.rows)
  const widthOf = (texts: readonly string[]) => Math.max(0, ...texts.map(roomFor))
  const countWidth = 2 + widthOf(['count', ...rows.map(({ count }) => number(count))])
  const longest = widthOf([...blocks.map(({ dimension }) => dimension), ...rows.map(({ value }) => value)])
  const room = columns - countWidth
  const valueWidth = Math.max(Math.min(longest, widestValue, room), Math.min(narrowestValue, room), 1)
  let left = room - valueWidth
  const windows: { name: string; width: number }[] = []
  for (const name of names) {
    const width = 2 + widthOf([printable(name), ...rows.map((row) => number(loginsOf(row, name)))])
    if (width > left) break
    windows.push({ name, width })
    left -= width
  }
  const sparkWidth = sparklines === undefined || left - 2 < sparklines.width ? 0 : sparklines.width
  if (sparkWidth > 0) left -= sparkWidth + 2
  // Two blanks before the bar.
  return {
    sparkWidth,
    valueWidth,
    countWidth,
    windows,
    barWidth: left - 2 < narrowestBar ? 0 : Math.min(left - 2, widestBar),
  }
}

function renderBlock(block: DimensionRows, layout: Layout, options: RenderOptions): string[] {
  const { colours, window = null, sparklines } = options
  const { valueWidth, countWidth, barWidth, sparkWidth, windows } = layout
  const sparks = sparkWidth > 0 && sparklines !== undefined
  const bars = barWidth > 0
  const table = new Table({
    chars: noLines,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colWidths: [
      valueWidth,
      countWidth,
      ...(sparks ? [sparkWidth + 2] : []),
      ...(bars ? [barWidth + 2] : []),
      ...windows.map(({ width }) => width),
    ],
    colAligns: [
      'left',
      'right',
      ...(sparks ? (['left'] as const) : []),
      ...(bars ? (['left'] as const) : []),
      ...windows.map(() => 'right' as const),
    ],
  })
  table.push(
    [
      block.dimension,
      'count',
      ...(sparks ? [`  last ${sparklines.width} s`] : []),
      ...(bars ? [window === null ? '' : `  in ${window}`] : []),
      ...windows.map(({ name }) => printable(name)),
    ].map((text) => colours.bold(text)),
  )
  const lengthOf = (row: KeyedRow) => loginsOf(row, window ?? undefined)
  const most = Math.max(1, ...block.rows.map(lengthOf))
  for (const row of block.rows) {
    const cells = windows.map(({ name }) => dimZero(loginsOf(row, name), colours))
    const spark = sparks ? [`  ${colours.green(sparklines.of(row.key))}`] : []
    const drawn = bars ? [`  ${colours.cyan(bar(lengthOf(row) / most, barWidth))}`] : []
    table.push([row.value, number(row.count), ...spark, ...drawn, ...cells])
  }
  const hidden = block.keyCount - block.rows.length
  const lines = table.toString().split('\n')
  return hidden > 0 ? [...lines, colours.dim(`... ${number(hidden)} more`)] : lines
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** A bar of block characters, exact to an eighth of one; something is never nothing. */
export function bar(portion: number, width: number): string {
  const length = portion > 0 ? Math.max(1, Math.round(portion * width * 8)) : 0
  return '█'.repeat(Math.floor(length / 8)) + (eighths[length % 8] ?? '')
}

/** A row in one line, for readers that are no terminal. */
export function rowLine(row: KeyedRow): string {
  const rolling = Object.entries(row.rolling).map(([name, count]) => `${name}=${count}`)
  return [row.key, `${row.count}`, ...rolling, `as_of=${row.as_of}`].map(printable).join('\t')
}

function dimZero(count: number, colours: Colours): string {
  return count === 0 ? colours.dim('0') : number(count)
}

function later(a: string, b: string): string {
  return a > b ? a : b
}

function readable(time: string): string {
  return `${time.slice(0, 19).replace('T', ' ')} UTC`
}

/** At the most: characters of some scripts are two columns wide. */
function roomFor(text: string): number {
  return /[\u1100-\uffff]/.test(text) ? 2 * text.length : text.length
}
