/** The plots, as specifications of Vega-Lite: medians, with the smallest and the largest where there are several rounds. */
import type { TopLevelSpec } from 'vega-lite'
import { spreadOf } from '../measure/statistics.ts'
import { rows } from '../rows/index.ts'
import { coloursOf, frame } from './chart-frame.ts'
import { courseChart, courseRows } from './course-chart.ts'
import { labelOf } from './format.ts'
import { type Results, valuesOf, variantsOf } from './results.ts'

interface Point {
  readonly system: string
  readonly x: string
  readonly median: number
  readonly min: number
  readonly max: number
}

/** One group of bars each: which row under which name. */
const barCharts: readonly {
  readonly file: string
  readonly title: string
  readonly groups: readonly { readonly row: string; readonly metric: string; readonly name: string }[]
}[] = [
  {
    file: 'throughput.svg',
    title: 'Throughput (logins a second)',
    groups: [
      { row: 'counts', metric: 'loginsPerSecond', name: 'counts' },
      { row: 'enriched', metric: 'loginsPerSecond', name: 'enriched' },
      { row: 'snappy', metric: 'loginsPerSecond', name: 'snappy' },
      { row: 'zstd', metric: 'loginsPerSecond', name: 'zstd' },
      { row: 'million-keys', metric: 'loginsPerSecond', name: 'million keys' },
    ],
  },
  {
    file: 'latency.svg',
    title: 'Latency at 2,000 logins a second (ms)',
    groups: [
      { row: 'latency', metric: 'p50Ms', name: 'p50' },
      { row: 'latency', metric: 'p95Ms', name: 'p95' },
      { row: 'latency', metric: 'p99Ms', name: 'p99' },
    ],
  },
  {
    file: 'recovery.svg',
    title: 'Start, restart and restore (s)',
    groups: [
      { row: 'start', metric: 'firstCommitSeconds', name: 'first start' },
      { row: 'restart', metric: 'nextCommitSeconds', name: 'restart after kill -9' },
      { row: 'restore', metric: 'restoreSeconds', name: 'restore' },
    ],
  },
  {
    file: 'memory.svg',
    title: 'Peak memory in the first row (MB)',
    groups: [{ row: 'counts', metric: 'peakRssMB', name: 'counts' }],
  },
]

/** Rows that grow: logarithmic where the variants are numbers of very different size. */
const lineCharts: readonly { readonly row: string; readonly metric: string; readonly isLog: boolean }[] = [
  { row: 'threads', metric: 'loginsPerSecond', isLog: false },
  { row: 'partitions', metric: 'loginsPerSecond', isLog: true },
  { row: 'keys', metric: 'loginsPerSecond', isLog: true },
  { row: 'windows', metric: 'loginsPerSecond', isLog: false },
  { row: 'instances', metric: 'loginsPerSecond', isLog: false },
  { row: 'restore-size', metric: 'restoreSeconds', isLog: true },
]

export interface Chart {
  readonly file: string
  /** The row below whose table it stands. */
  readonly row: string
  readonly specification: TopLevelSpec
}

/** The charts that there are figures for. */
export function chartsOf(results: Results): Chart[] {
  const bars = barCharts.flatMap(({ file, title, groups }) => {
    const points = groups.flatMap(({ row, metric, name }) => pointsOf(results, row, metric, '', name))
    const row = groups[0]?.row ?? ''
    const order = groups.map(({ name }) => name)
    return points.length === 0 ? [] : [{ file, row, specification: barChart(results, title, points, order) }]
  })
  const lines = lineCharts.flatMap(({ row, metric, isLog }) => {
    const points = variantsOf(results, row).flatMap((variant) =>
      pointsOf(results, row, metric, variant, variant),
    )
    const { title = row, axis = row } = rows.find(({ name }) => name === row) ?? {}
    if (points.length === 0) return []
    return [
      { file: `${row}.svg`, row, specification: lineChart(results, { title, axis, metric, isLog, points }) },
    ]
  })
  const courses = courseRows.flatMap((row) => {
    const specification = courseChart(results, row)
    return specification === null ? [] : [{ file: `${row}.svg`, row, specification }]
  })
  return [...bars, ...lines, ...courses]
}

function pointsOf(results: Results, row: string, metric: string, variant: string, x: string): Point[] {
  return results.systems.flatMap(({ name, title }) => {
    const spread = spreadOf(valuesOf(results, row, name, metric, variant))
    return spread === null ? [] : [{ system: title, x, ...spread }]
  })
}

function barChart(
  results: Results,
  title: string,
  points: readonly Point[],
  order: readonly string[],
): TopLevelSpec {
  const shown = coloursOf(results, points)
  const x = { field: 'x', type: 'nominal', sort: [...order], title: null, axis: { labelAngle: 0 } } as const
  const xOffset = { field: 'system', type: 'nominal', sort: [...shown.scale.domain] } as const
  return {
    ...frame,
    title,
    width: { step: 26 },
    height: 260,
    data: { values: [...points] },
    layer: [
      {
        mark: { type: 'bar', cornerRadiusEnd: 2 },
        encoding: {
          x,
          xOffset,
          color: shown,
          y: { field: 'median', type: 'quantitative', title: null, axis: { format: '~s' } },
        },
      },
      {
        mark: { type: 'rule', color: '#222222' },
        encoding: { x, xOffset, y: { field: 'min', type: 'quantitative' }, y2: { field: 'max' } },
      },
    ],
  }
}

function lineChart(
  results: Results,
  chart: {
    readonly title: string
    readonly axis: string
    readonly metric: string
    readonly isLog: boolean
    readonly points: readonly Point[]
  },
): TopLevelSpec {
  const values = chart.points.map((point) => ({ ...point, x: Number(point.x) }))
  const ticks = [...new Set(values.map(({ x }) => x))]
  const color = coloursOf(results, chart.points)
  const x = {
    field: 'x',
    type: 'quantitative',
    title: chart.axis,
    scale: chart.isLog ? ({ type: 'log', nice: false } as const) : { zero: false },
    axis: { values: ticks, format: '~s' },
  } as const
  const axis = { title: labelOf(chart.metric), axis: { format: '~s' }, scale: { domainMin: 0 } }
  return {
    ...frame,
    title: chart.title,
    width: 420,
    height: 240,
    data: { values },
    layer: [
      {
        mark: { type: 'line', point: { size: 45, filled: true } },
        encoding: { x, color, y: { field: 'median', type: 'quantitative', ...axis } },
      },
      {
        mark: { type: 'rule' },
        encoding: { x, color, y: { field: 'min', type: 'quantitative' }, y2: { field: 'max' } },
      },
    ],
  }
}
