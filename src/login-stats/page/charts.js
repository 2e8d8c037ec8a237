// @ts-check
/** The charts over time, drawn by uPlot in the colours of the style sheet. */
import { element } from './elements.js'
import * as format from './format.js'
import uPlot from './uplot.js'

/** @import { Points } from './history.js' */

/** @type {Set<uPlot>} */
const charts = new Set()
/** @type {Map<string, string>} */
const colours = new Map()

/**
 * A colour of the style sheet, by its custom property.
 * @param {string} property
 */
function colour(property) {
  const known = colours.get(property)
  if (known !== undefined) return known
  const read = getComputedStyle(document.documentElement).getPropertyValue(property).trim()
  colours.set(property, read)
  return read
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  colours.clear()
  for (const chart of charts) chart.redraw()
})

/**
 * A line over time with the area below it, from zero on.
 * @param {Omit<uPlot.Options, 'series' | 'scales' | 'legend'>} options
 * @param {number} width of the line
 * @param {HTMLElement} root
 */
function open(options, width, root) {
  /** @type {[number, number]} */
  let span = [0, 60]
  const line = {
    stroke: () => colour('--accent'),
    fill: () => colour('--accent-wash'),
    width,
    points: { show: false },
  }
  const chart = new uPlot(
    {
      ...options,
      legend: { show: false },
      scales: { x: { time: true, range: () => span }, y: { range: fromZero } },
      series: [{}, line],
    },
    [[0], [null]],
    root,
  )
  charts.add(chart)
  return {
    chart,
    /** @param {Points} points @param {[number, number]} newSpan in seconds */
    draw(points, newSpan) {
      span = newSpan
      chart.setData(points[0].length === 0 ? [[span[1]], [null]] : points)
    },
  }
}

/**
 * From zero to a little above the highest value.
 * @param {uPlot} _chart
 * @param {number | null} _lowest
 * @param {number | null} highest
 * @returns {[number, number]}
 */
function fromZero(_chart, _lowest, highest) {
  return [0, highest === null || highest <= 0 ? 1 : highest * 1.15]
}

/**
 * Whether the time below a tick would run into the other axis, or out of the chart.
 * @param {number} time
 * @param {[number, number]} span
 */
function isAtAnEnd(time, [from, to]) {
  return time - from < 0.05 * (to - from) || to - time < 0.03 * (to - from)
}

/** A line without axes, beside a number. It says nothing to who cannot see it: the number does. */
export function sparkline() {
  const root = element('div', { class: 'sparkline', 'aria-hidden': 'true' })
  const { chart, draw } = open(
    {
      width: 72,
      height: 24,
      padding: [2, 0, 2, 0],
      cursor: { show: false },
      axes: [{ show: false }, { show: false }],
    },
    1.25,
    root,
  )
  return {
    root,
    draw,
    close() {
      charts.delete(chart)
      chart.destroy()
    },
  }
}

/**
 * The rate over time, with axes, as wide as `root` is.
 * @param {HTMLElement} root
 * @param {(point: { at: number, value: number } | null) => void} onPoint the point under the pointer, its time in seconds; null: none
 */
export function rateChart(root, onPoint) {
  const height = 200
  const axis = {
    stroke: () => colour('--muted'),
    ticks: { show: false },
    font: `12px ${getComputedStyle(root).fontFamily}`,
  }
  const { chart, draw } = open(
    {
      width: Math.max(200, root.clientWidth),
      height,
      padding: [8, 4, 0, 0],
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        points: { size: 8, width: 2, stroke: () => colour('--accent'), fill: () => colour('--surface') },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          space: 96,
          size: 22,
          values: ({ scales: { x } }, times) =>
            times.map((time) =>
              isAtAnEnd(time, [x?.min ?? 0, x?.max ?? 0]) ? '' : format.clockTime(time * 1000),
            ),
        },
        {
          ...axis,
          grid: { stroke: () => colour('--line'), width: 1 },
          space: 44,
          size: 48,
          values: (_, rates) => rates.map(format.short),
        },
      ],
      hooks: {
        setCursor: [
          ({ cursor, data }) => {
            const index = cursor.idx
            const at = index == null ? undefined : data[0]?.[index]
            const value = index == null ? undefined : data[1]?.[index]
            onPoint(at == null || value == null ? null : { at, value })
          },
        ],
      },
    },
    2,
    root,
  )
  new ResizeObserver(() => chart.setSize({ width: Math.max(200, root.clientWidth), height })).observe(root)
  return { draw }
}
