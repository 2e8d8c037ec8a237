import { describe, expect, test } from 'vitest'
import type { KeyedRow, RowOrder } from '../../../../src/login-stats/table/index.ts'
import { comparing } from '../../../../src/login-stats/table/row-order.ts'
import { PlainView } from '../../../../src/login-stats/table-view/plain-view.ts'
import { row } from '../../../support/page-rows.ts'

const everything = { dimensions: [], counted: [], order: 'top', window: null, limit: null } as const

/** A table that is changed by hand, and what a view of it has written. */
function viewed(isJson: boolean, dimensions: readonly string[] = []) {
  const rows = new Map<string, KeyedRow>()
  const table = {
    isComplete: true,
    get: async (key: string) => rows.get(key) ?? null,
    get keyCounts() {
      return new Map([...rows.values()].map(({ dimension }) => [dimension, rows.size]))
    },
    ordered: async (dimension: string | null, order: RowOrder, limit: number) =>
      [...rows.values()]
        .filter((one) => one.dimension === dimension)
        .sort(comparing(order))
        .slice(0, limit),
  }
  const lines: string[] = []
  const write = (text: string) => void lines.push(...text.trimEnd().split('\n'))
  const view = new PlainView(write, table, { ...everything, dimensions }, { isJson })
  return {
    table,
    rows,
    view,
    set(...changed: KeyedRow[]) {
      for (const one of changed) {
        rows.set(one.key, one)
        view.changed(one.key)
      }
    },
    remove(key: string) {
      rows.delete(key)
      view.changed(key)
    },
    restart() {
      rows.clear()
      view.restarted()
    },
    async drawn(): Promise<string[]> {
      await view.draw()
      return lines.splice(0)
    },
  }
}

/** What a reader has who keeps the last line of each key. */
function fold(lines: readonly string[], known: Map<string, KeyedRow> = new Map()): Map<string, KeyedRow> {
  for (const line of lines) {
    const said = JSON.parse(line)
    if (said.restart === true) known.clear()
    else if (said.deleted === true) known.delete(said.key)
    else known.set(said.key, said)
  }
  return known
}

describe('the table as JSON lines', () => {
  test('gives a reader who keeps the last line of each key the table, also after a restart', async () => {
    const { rows, set, remove, restart, drawn, table } = viewed(true)
    set(row('total', 'total', 3), row('locale', 'RU', 2), row('locale', 'DE', 1))
    const known = fold(await drawn())
    expect(known).toEqual(rows)
    set(row('locale', 'RU', 5))
    remove('locale:DE')
    expect(fold(await drawn(), known)).toEqual(rows)
    restart()
    table.isComplete = false
    set(row('total', 'total', 1), row('locale', 'FR', 1))
    expect(await drawn()).toEqual([])
    table.isComplete = true
    const anew = await drawn()
    expect(anew[0]).toBe('{"restart":true}')
    expect(fold(anew, known)).toEqual(rows)
    expect(await drawn()).toEqual([])
  })

  test('says nothing of a restart before anything was written', async () => {
    const { set, restart, drawn } = viewed(true)
    restart()
    set(row('total', 'total', 1))
    expect(await drawn()).toHaveLength(1)
  })
})

test('the plain lines have the changes of the selected dimensions, and all rows again after a restart', async () => {
  const { set, remove, restart, drawn } = viewed(false, ['locale'])
  set(row('total', 'total', 3), row('locale', 'RU', 2))
  expect(await drawn()).toEqual([expect.stringMatching(/^locale:RU\t2\t/)])
  set(row('total', 'total', 4), row('locale', 'DE', 1))
  remove('locale:RU')
  expect(await drawn()).toEqual([expect.stringMatching(/^locale:DE\t1\t/)])
  restart()
  set(row('locale', 'FR', 1))
  expect(await drawn()).toEqual([expect.stringMatching(/^locale:FR\t1\t/)])
})
