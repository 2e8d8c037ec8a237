import pc from 'picocolors'
import { describe, expect, it } from 'vitest'
import type { KeyedRow, RowOrder } from '../../../../src/login-stats/table/index.ts'
import { comparing } from '../../../../src/login-stats/table/row-order.ts'
import { LiveView } from '../../../../src/login-stats/table-view/live-view.ts'
import { bar, renderTable, rowLine } from '../../../../src/login-stats/table-view/render.ts'
import { type Selection, selectRows } from '../../../../src/login-stats/table-view/select-rows.ts'
import { Sparklines } from '../../../../src/login-stats/table-view/sparklines.ts'

const plain = pc.createColors(false)
const everything: Selection = { dimensions: [], order: 'top', window: null, limit: null }

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
  it('gives the total first, then each dimension with its rows by count', async () => {
    const selected = await selectRows(sample, everything)
    expect(selected.map(({ dimension }) => dimension)).toEqual(['total', 'locale', 'device_type'])
    expect(selected[1]?.rows.map(({ value }) => value)).toEqual(['RU', 'DE', 'FR'])
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

describe('Sparklines', () => {
  it('show how many logins came in each second, and forget what is not shown', () => {
    const sparklines = new Sparklines(4)
    expect(sparklines.of('locale:RU')).toBe('    ')
    for (const count of [10, 10, 17, 18, 18]) sparklines.note([row('locale', 'RU', count)])
    expect(sparklines.of('locale:RU')).toBe('▁█▂▁')
    sparklines.note([])
    expect(sparklines.of('locale:RU')).toBe('    ')
  })
})

describe('renderTable', () => {
  const render = async (columns: number, lines: number | null, table = sample) =>
    renderTable(await selectRows(table, everything), { columns, lines, colours: plain })

  it('shows the total, and of each dimension its rows with bars and rolling counts', async () => {
    const lines = await render(80, null)
    expect(lines[0]).toBe('1,510 logins  as of 2023-09-12 01:10:04 UTC')
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

  it('lets no escape sequence of a value through to the terminal', async () => {
    const text = (await render(80, null, tableOf(row('locale', '\u001b]0;x\u0007\u202e', 1)))).join('\n')
    expect(text).not.toContain('\u001b')
    expect(text).not.toContain('\u202e')
    const line = rowLine({ ...row('locale', 'x', 1), key: 'locale:\u001b[2J\n' })
    expect(line.startsWith('locale:\ufffd[2J\ufffd\t1\t')).toBe(true)
  })

  it('says so where there is nothing', async () => {
    expect(await render(80, 20, tableOf())).toEqual(['No logins yet'])
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

describe('LiveView', () => {
  it('draws over the last frame, and anew after a change of size', () => {
    const screen = {
      columns: 80,
      rows: 24,
      written: '',
      write(text: string) {
        screen.written = text
      },
    }
    const view = new LiveView(screen)
    view.draw(['a', 'b', 'c'])
    expect(screen.written).not.toContain('A')
    view.draw(['a', 'b'])
    expect(screen.written).toContain('\u001b[3A')
    expect(screen.written.endsWith('\u001b[J')).toBe(true)
    view.draw(['a', 'b'])
    expect(screen.written).toContain('\u001b[2A')
    screen.columns = 60
    view.draw(['a', 'b'])
    expect(screen.written).toContain('\u001b[2J')
    view.close()
    expect(screen.written).toBe('\u001b[?25h')
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
