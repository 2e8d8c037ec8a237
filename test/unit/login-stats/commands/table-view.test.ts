import pc from 'picocolors'
import { describe, expect, it } from 'vitest'
import { type CommandContext, takesUtf8 } from '../../../../src/login-stats/commands/context.ts'
import { parseDimensions } from '../../../../src/login-stats/domain/dimensions.ts'
import type { KeyedRow, RowOrder } from '../../../../src/login-stats/table/index.ts'
import { comparing } from '../../../../src/login-stats/table/row-order.ts'
import { inAscii } from '../../../../src/login-stats/table-view/ascii.ts'
import { LiveView } from '../../../../src/login-stats/table-view/live-view.ts'
import { bar, renderTable, rowLine } from '../../../../src/login-stats/table-view/render.ts'
import {
  refuseUnknown,
  type Selection,
  selectRows,
} from '../../../../src/login-stats/table-view/select-rows.ts'
import { Sparklines } from '../../../../src/login-stats/table-view/sparklines.ts'

const plain = pc.createColors(false)
const everything: Selection = {
  dimensions: [],
  counted: parseDimensions('device_type,locale'),
  order: 'top',
  window: null,
  limit: null,
}

function row(dimension: string, value: string, count: number): KeyedRow {
  const rolling = { '1m': dimension === 'locale' && value === 'FR' ? 9 : 0, '24h': count }
  const time = '2023-09-12T01:10:04.000Z'
  const key = dimension === value ? dimension : `${dimension}:${value}`
  return { key, dimension, value, count, rolling, first_seen: time, last_seen: time, as_of: time }
}

/** A table that nobody follows. */
function tableOf(...rows: KeyedRow[]) {
  const names = [...new Set(rows.map(({ dimension }) => dimension))]
  const of = (dimension: string | null) =>
    rows.filter((one) => dimension === null || one.dimension === dimension)
  return {
    keyCounts: new Map(names.map((name) => [name, of(name).length])),
    ordered: async (dimension: string | null, order: RowOrder, limit: number) =>
      of(dimension).sort(comparing(order)).slice(0, limit),
  }
}

const sample = tableOf(
  row('locale', 'RU', 1200),
  row('locale', 'DE', 300),
  row('total', 'total', 1510),
  row('locale', 'FR', 10),
  row('device_type', 'web', 1510),
)

describe('selectRows', () => {
  it('gives the total first, then each dimension in the order of the setting with its rows by count', async () => {
    const selected = await selectRows(sample, everything)
    expect(selected.map(({ dimension }) => dimension)).toEqual(['total', 'device_type', 'locale'])
    expect(selected[2]?.rows.map(({ value }) => value)).toEqual(['RU', 'DE', 'FR'])
  })

  it('selects the top, the least, a window, and dimensions', async () => {
    const some = await selectRows(sample, { ...everything, dimensions: ['locale'], limit: 2 })
    expect(some.map(({ dimension, rows, keyCount }) => [dimension, rows.length, keyCount])).toEqual([
      ['locale', 2, 3],
    ])
    const one = { ...everything, dimensions: ['locale'], limit: 1 }
    expect((await selectRows(sample, { ...one, order: 'least' }))[0]?.rows[0]?.value).toBe('FR')
    expect((await selectRows(sample, { ...one, window: '1m' }))[0]?.rows[0]?.value).toBe('FR')
  })
})

describe('refuseUnknown', () => {
  const refused = (table: typeof sample, selection: Partial<Selection>) =>
    refuseUnknown(table, { ...everything, ...selection })

  it('names what there is, where a dimension or window is not among it', async () => {
    await expect(refused(sample, { dimensions: ['locale', 'local'] })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      details: { detail: '--dimension local: the table has locale, total, device_type.' },
    })
    await expect(refused(sample, { window: '7m' })).rejects.toThrow('the table has 1m, 24h')
  })

  it('lets pass what there is, and everything while the table is empty', async () => {
    await refused(sample, { dimensions: ['locale', 'total'], window: '1m' })
    await refused(tableOf(), { dimensions: ['local'], window: '7m' })
  })
})

describe('Sparklines', () => {
  it('show how many logins came in each second, and forget what is not shown', () => {
    const sparklines = new Sparklines(4)
    expect(sparklines.of('locale:RU')).toBe('    ')
    for (const [second, count] of [10, 10, 17, 18, 18].entries())
      sparklines.note([row('locale', 'RU', count)], second * 1000)
    expect(sparklines.of('locale:RU')).toBe('▁█▂▁')
    sparklines.note([], 5000)
    expect(sparklines.of('locale:RU')).toBe('    ')
  })

  it('are of seconds, however long it is from one look to the next', () => {
    const sparklines = new Sparklines(4)
    for (let at = 0; at <= 12_500; at += 1250)
      sparklines.note([row('locale', 'RU', at < 10_000 ? 0 : at)], at)
    // 8,750 to 10,000: all of it came then, as far as one knows; a fifth of it before 9,000. Then 1,000 a second.
    expect(sparklines.of('locale:RU')).toBe('▃█▂▂')
  })

  it('stand still while nothing newer can be read, and tell what came meanwhile as a mean', () => {
    const sparklines = new Sparklines(4)
    const note = (count: number, at: number) => sparklines.note([row('locale', 'RU', count)], at)
    for (let second = 0; second <= 4; second++) note(second * 10, second * 1000)
    for (let draw = 0; draw < 40; draw++) note(40 + draw, 4000)
    expect(sparklines.of('locale:RU')).toBe('████')
    note(80, 12_000)
    expect(sparklines.of('locale:RU')).toBe('████')
    note(90, 13_000)
    expect(sparklines.of('locale:RU')).toBe('▅▅▅█')
  })
})

describe('renderTable', () => {
  const render = async (columns: number, lines: number | null, table = sample) =>
    renderTable(await selectRows(table, everything), { columns, lines, colours: plain })

  it('shows the total, and of each dimension its rows with bars and rolling counts', async () => {
    const lines = await render(80, null)
    expect(lines[0]).toBe('1,510 logins   as of 2023-09-12 01:10:04 UTC')
    const locale = lines.findIndex((line) => line.startsWith('locale'))
    expect(lines[locale]).toMatch(/count .* 1m +24h$/)
    expect(lines[locale + 1]).toMatch(/^RU +1,200 +█+ +0 +1,200$/)
    const lengths = [1, 2, 3].map(
      (at) => [...lines[locale + at]!].filter((c) => '█▏▎▍▌▋▊▉'.includes(c)).length,
    )
    expect(lengths[0]).toBe(lengths[1]! * 4)
    expect(lengths[2]).toBe(1)
  })

  it('never writes a line that is wider than the terminal', async () => {
    const table = tableOf(
      row('total', 'total', 12_345_678),
      row('locale', 'a very long value that nobody would believe to be a locale', 12_345_678),
      row('locale', '日本語のロケールはとても長い値です', 5),
      row('dimension_with_a_long_name+and_another', 'x', 5),
    )
    for (const columns of [20, 21, 30, 40, 60, 80, 200])
      for (const line of await render(columns, null, table)) {
        const wide = line.match(/[\u3000-\u9fff]/g)?.length ?? 0
        expect(line.length + wide).toBeLessThanOrEqual(columns)
      }
  })

  it('leaves out bars and windows where there is no room for them, but never the counts', async () => {
    const text = (await render(20, null)).join('\n')
    expect(text).not.toContain('█')
    expect(text).toMatch(/RU +1,200/)
  })

  it('fits into the height of the terminal, and says how many rows are hidden', async () => {
    const many = Array.from({ length: 50 }, (_, at) => row('locale', `L${at}`, at + 1))
    const lines = await render(80, 20, tableOf(row('total', 'total', 9), ...many))
    expect(lines.length).toBeLessThanOrEqual(20)
    expect(lines.at(-1)).toMatch(/^\.\.\. \d+ more$/)
    expect(await render(80, 1)).toHaveLength(1)
  })

  it('gives the room that one dimension does not need to the others', async () => {
    const many = Array.from({ length: 50 }, (_, at) => row('locale', `L${at}`, at + 1))
    const few = ['a', 'b'].map((value) => row('device_type', value, 5))
    const lines = await render(80, 40, tableOf(row('total', 'total', 9), ...few, ...many))
    expect(lines).toHaveLength(40)
    expect(lines.filter((line) => line.startsWith('L'))).toHaveLength(31)
    expect(lines.at(-1)).toBe('... 19 more')
  })

  it('shows every dimension on a low terminal, without gaps between them', async () => {
    const table = tableOf(
      row('total', 'total', 9),
      ...['locale', 'device_type', 'app_version'].flatMap((dimension) =>
        Array.from({ length: 9 }, (_, at) => row(dimension, `v${at}`, at + 1)),
      ),
    )
    const lines = await render(60, 11, table)
    expect(lines).toHaveLength(11)
    expect(lines).not.toContain('')
    for (const name of ['locale', 'device_type', 'app_version'])
      expect(lines.some((line) => line.startsWith(name))).toBe(true)
    // Less than that is no table any more: whole dimensions go.
    const low = await render(60, 8, table)
    expect(low).toHaveLength(8)
    expect(low.at(-1)).toMatch(/^\.\.\. \d more$/)
  })

  it('cuts none of the short texts where another line holds it', async () => {
    const status = ['STALE: as of 40 s ago', 'tasks: 8 running on 2 instances, lag 297', 'dead letters: 641']
    const selected = await selectRows(sample, everything)
    const wide = renderTable(selected, { columns: 120, lines: 24, colours: plain, status })
    expect(wide[2]).toBe(status.join('   '))
    const narrow = renderTable(selected, { columns: 60, lines: 24, colours: plain, status })
    expect(narrow.slice(2, 4)).toEqual([status[0], `${status[1]}   ${status[2]}`])
  })

  it('wraps by what is seen, not by the codes of colours', async () => {
    const selected = await selectRows(sample, everything)
    const colours = pc.createColors(true)
    const [first] = renderTable(selected, { columns: 46, lines: 24, colours, ratePerSecond: null })
    expect(first).toMatch(/1,510 logins.*as of 2023-09-12 01:10:04 UTC/)
    const narrow = renderTable(selected, { columns: 48, lines: 24, colours, ratePerSecond: 3.7 })
    expect(narrow.slice(0, 2)).toEqual([
      colours.bold('1,510 logins, 4/s'),
      colours.dim('as of 2023-09-12 01:10:04 UTC'),
    ])
  })

  it('says what the columns without numbers are', async () => {
    const selected = await selectRows(sample, everything)
    const options = { columns: 120, lines: 24, colours: plain, sparklines: new Sparklines(16), window: '1m' }
    const heading = renderTable(selected, options).find((line) => line.startsWith('locale'))
    expect(heading).toMatch(/count +last 16 s +in 1m +1m +24h$/)
  })

  it('lets no escape sequence of a value through to the terminal', async () => {
    const text = (await render(80, null, tableOf(row('locale', '\u001b]0;x\u0007\u202e', 1)))).join('\n')
    expect(text).not.toContain('\u001b')
    expect(text).not.toContain('\u202e')
    const line = rowLine({ ...row('locale', 'x', 1), key: 'locale:\u001b[2J\n' })
    expect(line.startsWith('locale:\\x1b[2J\\x0a\t1\t')).toBe(true)
  })

  it('shows what others may have written into the topic as text, in its columns', async () => {
    const evil = '\u001b[2J\u009b1m\u202e\n'
    const one = { ...row(evil, evil, 1), rolling: { [evil]: 1 }, as_of: evil }
    const [selected] = await selectRows(tableOf(one), { ...everything, dimensions: [evil] })
    const options = { columns: 80, lines: null, colours: plain, status: [evil] }
    const lines = renderTable([selected!], options)
    for (const line of lines) {
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      expect(line.length).toBeLessThanOrEqual(80)
    }
    expect(rowLine(one).replaceAll('\t', ' ')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(lines.filter((line) => line.includes('\\x1b[2J\\x9b1m'))).toHaveLength(
      lines.filter(Boolean).length,
    )
  })

  it('says so where there is nothing', async () => {
    expect(await render(80, 20, tableOf())).toEqual(['No logins yet'])
  })
})

describe('inAscii', () => {
  it('draws the same with characters that every terminal has', async () => {
    const sparklines = new Sparklines(8)
    for (let second = 0; second <= 8; second++)
      sparklines.note([row('locale', 'RU', second ** 2)], second * 1000)
    const selected = await selectRows(
      tableOf(row('locale', 'RU', 64), row('locale', 'x'.repeat(99), 1)),
      everything,
    )
    for (const line of renderTable(selected, { columns: 100, lines: null, colours: plain, sparklines })) {
      const ascii = inAscii(line)
      expect(ascii).toMatch(/^[ -~]*$/)
      expect(ascii).toHaveLength(line.length)
    }
    expect(inAscii('▁▂▃▄▅▆▇█▉▊▋▌▍▎▏…')).toBe('_.:-=+*#====---~')
  })
})

describe('a terminal takes UTF-8', () => {
  it.each([
    [{}, true],
    [{ LANG: 'en_US.UTF-8' }, true],
    [{ LC_ALL: '', LC_CTYPE: 'C.utf8', LANG: 'C' }, true],
    [{ LC_ALL: 'POSIX', LANG: 'de_DE.UTF-8' }, false],
    [{ LANG: 'de_DE.ISO-8859-1' }, false],
  ])('%o: %s', (environment, expected) => {
    expect(takesUtf8({ environment } as unknown as CommandContext)).toBe(expected)
  })
})

describe('bar', () => {
  it.each([
    [0, ''],
    [0.0001, '▏'],
    [0.5, '████'],
    [0.5625, '████▌'],
    [1, '████████'],
  ])('of %d', (portion, expected) => {
    expect(bar(portion, 8)).toBe(expected)
  })
})

/** Keeps what was written last. */
function screenOf(columns: number, rows: number) {
  const screen = {
    ...{ columns, rows },
    written: '',
    write(text: string) {
      screen.written = text
    },
  }
  return screen
}

describe('LiveView', () => {
  it('draws over the last frame, and anew after a change of size', () => {
    const screen = screenOf(80, 24)
    const view = new LiveView(screen)
    view.draw(['a', 'b', 'c'])
    expect(screen.written).not.toContain('A')
    view.draw(['a', 'b'])
    expect(screen.written).toContain('\u001b[3A')
    expect(screen.written).toContain('\u001b[J')
    view.draw(['a', 'b'])
    expect(screen.written).toContain('\u001b[2A')
    screen.columns = 60
    view.draw(['a', 'b'])
    expect(screen.written).toContain('\u001b[2J')
  })

  it('leaves cursor and wrapping as they were after each frame, whatever may end the process', () => {
    const screen = screenOf(10, 24)
    const view = new LiveView(screen)
    for (const line of ['a', 'x'.repeat(50)]) {
      view.draw([line])
      const modes = [...screen.written.matchAll(/\[\?(\d+)([hl])/g)].map(([, mode, to]) => `${mode}${to}`)
      expect(modes).toEqual(['25l', '7l', '7h', '25h'])
      // What is too wide does not become a second line, which nobody would have counted.
      expect(screen.written.indexOf('?7l')).toBeLessThan(screen.written.indexOf(line))
    }
  })

  it.each([1, 2, 3, 5])('never draws more than a screen of %d lines has', (rows) => {
    const screen = screenOf(40, rows)
    const view = new LiveView(screen, ['first'])
    view.draw(['a'])
    view.draw(Array.from({ length: view.size.lines }, (_, at) => `line ${at}`))
    expect(screen.written.match(/\n/g)?.length).toBeLessThanOrEqual(Math.max(1, rows - 1))
    expect(screen.written).toContain('line 0')
  })

  it('keeps lines above the frames, and the first of them alone where there is no room', () => {
    const screen = screenOf(40, 40)
    const view = new LiveView(screen, ['first', 'x'.repeat(50)])
    expect(view.size.lines).toBe(40 - 1 - 3)
    view.draw(['a', 'b'])
    expect(screen.written).toMatch(/first.*\n.*xxx.*\n.*a.*\n.*b/)
    view.draw(['a', 'b'])
    expect(screen.written).not.toContain('first')
    expect(screen.written).toContain('\u001b[2A')
    screen.rows = 30
    view.draw(['a', 'b'])
    expect(screen.written).toContain('first')
    screen.rows = 22
    expect(view.size.lines).toBe(22 - 1 - 1)
    view.draw(['a', 'b'])
    expect(screen.written).toContain('first')
    expect(screen.written).not.toContain('xxx')
    view.draw(['a', 'b'])
    expect(screen.written).toContain('first')
    expect(screen.written).toContain('\u001b[3A')
  })

  it('leaves the last line free, and copes with a terminal that does not know its size', () => {
    expect(new LiveView({ write: () => undefined, columns: 100, rows: 30 }).size).toEqual({
      columns: 100,
      lines: 29,
    })
    expect(new LiveView({ write: () => undefined, columns: 0, rows: 0 }).size).toEqual({
      columns: 80,
      lines: 23,
    })
  })
})
