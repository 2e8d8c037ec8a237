/** The plot of what goes on over time: panels above one axis, from each system's first round. */
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
  { title: 'Logins of the backlog that are not visible as counts yet', field: 'backlogLeft' },
  {
    ...{ title: 'Latency of live logins, by the time of sending: median, and up to the largest (ms)' },
    ...{ field: 'p50Ms', upTo: 'maxMs', isLog: true },
  },
  { title: 'Logins per commit', field: 'loginsPerCommit', isLog: true },
  { title: 'Commits a second', field: 'commitsPerSecond' },
  { title: 'Resident memory (MB)', field: 'rssMB' },
]

/** Null where nobody has a course of this row. */
export function courseChart(results: Results, row: string): TopLevelSpec | null {
  const values = results.systems.flatMap(({ name, title }) => {
    const found = results.measurements.find(
      (one) => one.row === row && one.system === name && one.course !== undefined,
    )
    return (found?.course ?? []).map((moment) => ({ ...moment, system: title }))
  })
  if (values.length === 0) return null
  const color = { ...coloursOf(results, values), legend: { orient: 'top', symbolOpacity: 1 } } as const
  const end = Math.max(...values.map(({ seconds }) => seconds))
  const last = panels.length - 1
  return {
    ...frame,
    title: rows.find(({ name }) => name === row)?.title ?? row,
    data: { values },
    spacing: 14,
    vconcat: panels.map((panel, index) => panelOf(panel, { color, end, isLast: index === last })),
  }
}

function panelOf(
  { title, field, upTo, isLog = false }: Panel,
  shared: {
    readonly color: ReturnType<typeof coloursOf>
    readonly end: number
    readonly isLast: boolean
  },
) {
  const { color, end, isLast } = shared
  const x = {
    field: 'seconds',
    type: 'quantitative',
    title: isLast ? 'seconds from the start of the process' : null,
    axis: { labels: isLast },
    scale: { domainMin: 0, domainMax: end, nice: false },
  } as const
  const y = {
    field,
    type: 'quantitative',
    title: null,
    axis: { format: '~s', tickCount: 4 },
    scale: isLog ? ({ type: 'log' } as const) : { domainMin: 0 },
  } as const
  const band = {
    mark: { type: 'area', opacity: 0.25 },
    encoding: { x, y, color, ...(upTo === undefined ? {} : { y2: { field: upTo } }) },
  } as const
  const line = { mark: { type: 'line', strokeWidth: 1.5 }, encoding: { x, y, color } } as const
  return {
    title: { text: title, anchor: 'start', frame: 'group', fontSize: 11, fontWeight: 'normal' } as const,
    width: 640,
    height: 90,
    // Where nothing happened there is no figure, and nothing has no logarithm.
    transform: [{ filter: isLog ? `datum.${field} > 0` : `isValid(datum.${field})` }],
    layer: upTo === undefined ? [line] : [band, line],
  }
}
