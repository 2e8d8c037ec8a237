/** The plot of what goes on over time: a column for each system's first round, in which panels stand above one axis. */
import type { TopLevelSpec } from 'vega-lite'
import type { Moment } from '../measure/course.ts'
import { rows } from '../rows/index.ts'
import { coloursOf, frame } from './chart-frame.ts'
import type { Results } from './results.ts'

/** The rows that have a course. */
export const courseRows: readonly string[] = ['hot-partition']

interface Panel {
  readonly title: string
  readonly field: keyof Moment
  /** A band goes from `field` to this one. */
  readonly upTo?: keyof Moment
  readonly isLog?: boolean
}

const panels: readonly Panel[] = [
  { title: 'Logins of the backlog not counted yet', field: 'backlogLeft' },
  {
    ...{ title: 'Latency of live logins: median to largest (ms)' },
    ...{ field: 'p50Ms', upTo: 'maxMs', isLog: true },
  },
  {
    ...{ title: 'Logins per commit: mean to largest' },
    ...{ field: 'loginsPerCommit', upTo: 'largestCommit', isLog: true },
  },
  { title: 'Commits a second', field: 'commitsPerSecond' },
  { title: 'Resident memory (MB)', field: 'rssMB' },
]

interface Column {
  readonly system: string
  readonly moments: readonly Moment[]
}

/** Null where nobody has a course of this row. */
export function courseChart(results: Results, row: string): TopLevelSpec | null {
  const columns = results.systems.flatMap(({ name, title }): Column[] => {
    const moments = results.measurements.find(
      (one) => one.row === row && one.system === name && one.course !== undefined,
    )?.course
    return moments === undefined ? [] : [{ system: title, moments }]
  })
  if (columns.length === 0) return null
  const color = { ...coloursOf(results, columns), legend: null }
  const all = columns.flatMap(({ moments }) => moments)
  return {
    ...frame,
    title: rows.find(({ name }) => name === row)?.title ?? row,
    spacing: 28,
    // Each system has its own time, but figures that can be compared are drawn on one scale.
    hconcat: columns.map(({ system, moments }) => ({
      title: { text: system, anchor: 'start', frame: 'group', fontSize: 12 } as const,
      data: { values: moments.map((moment) => ({ ...moment, system })) },
      spacing: 14,
      vconcat: panels.map((panel) => panelOf(panel, { color, domain: domainOf(all, panel) })),
    })),
  }
}

interface Domain {
  readonly domainMin: number
  readonly domainMax: number
}

/** From zero; or, where it is logarithmic, from the power of ten below the smallest figure from 1 on. */
function domainOf(moments: readonly Moment[], { field, upTo = field, isLog = false }: Panel): Domain {
  const highest = moments.reduce((most, moment) => Math.max(most, moment[upTo] ?? 0), 1)
  const figures = moments.map((moment) => moment[field] ?? 0).filter((figure) => figure >= 1)
  const lowest = figures.reduce((least, figure) => Math.min(least, figure), highest)
  return { domainMin: isLog ? 10 ** Math.floor(Math.log10(lowest)) : 0, domainMax: highest }
}

function panelOf(
  panel: Panel,
  { color, domain }: { readonly color: ReturnType<typeof coloursOf>; readonly domain: Domain },
) {
  const { title, field, upTo, isLog = false } = panel
  const isLast = panel === panels.at(-1)
  const x = {
    field: 'seconds',
    type: 'quantitative',
    title: isLast ? 'seconds from the start of the process' : null,
    axis: { labels: isLast },
    scale: { domainMin: 0, nice: false },
  } as const
  const y = {
    field,
    type: 'quantitative',
    title: null,
    axis: { format: '~s', tickCount: 4 },
    scale: { ...domain, ...(isLog ? ({ type: 'log' } as const) : {}) },
  } as const
  const band = {
    mark: { type: 'area', opacity: 0.25 },
    encoding: { x, y, color, ...(upTo === undefined ? {} : { y2: { field: upTo } }) },
  } as const
  const line = { mark: { type: 'line', strokeWidth: 1.5 }, encoding: { x, y, color } } as const
  return {
    title: { text: title, anchor: 'start', frame: 'group', fontSize: 11, fontWeight: 'normal' } as const,
    width: 400,
    height: 90,
    // Where nothing happened there is no figure; and nothing has no logarithm.
    transform: [{ filter: isLog ? `datum.${field} >= 1` : `isValid(datum.${field})` }],
    layer: upTo === undefined ? [line] : [band, line],
  }
}
