// @ts-check
/** The total of the chosen window, the numbers beside it, and the rate over time. */
import { rateChart } from './charts.js'
import { byId, setAttribute, setText } from './elements.js'
import * as format from './format.js'
import { chartSpan } from './history.js'
import { loginsOf } from './ranking.js'

/** @import { Summary, Tasks } from '../http/api-schemas.ts' */
/** @import { Course, Points } from './history.js' */

/** How far back the chart of the rate goes. */
export const rateSpanMs = 300_000

/** @param {Course} rates */
export function overview(rates) {
  const [label, total, rate, lag] = [byId('total-label'), byId('total'), byId('rate'), byId('lag')]
  const [newest, deadLetters] = [byId('newest-login'), byId('dead-letter-count')]
  const [readout, chartRoot] = [byId('rate-readout'), byId('rate-chart')]
  /** @type {{ at: number, value: number } | null} */
  let pointed = null
  const showReadout = () =>
    setText(
      readout,
      pointed === null
        ? 'Mean of 10 s'
        : `${format.rate(pointed.value)} per second at ${format.clockTime(pointed.at * 1000)}`,
    )
  showReadout()
  const chart = rateChart(chartRoot, (point) => {
    pointed = point
    showReadout()
  })

  /** @param {number} now */
  function showRates(now) {
    const points = rates.points()
    chart.draw(points, chartSpan(points[0][0], now, rateSpanMs))
    setAttribute(chartRoot, 'aria-label', inWords(points))
  }

  return {
    /**
     * @param {Summary | null} summary
     * @param {Tasks | null} tasks
     * @param {string | null} window
     * @param {number} now
     */
    update(summary, tasks, window, now) {
      const row = summary?.total ?? null
      setText(label, window === null ? 'Logins, all time' : `Logins, last ${window}`)
      setText(total, format.count(summary === null ? null : totalOf(summary, window)))
      setText(rate, format.rate(summary?.rate_per_second))
      setText(newest, row === null ? format.nothing : format.moment(row.last_seen, now))
      setText(deadLetters, format.count(summary?.dead_letters?.count))
      setText(lag, tasks === null ? format.nothing : lagInWords(tasks))
      showRates(now)
    },
  }
}

/**
 * Null where it is not known. An empty table has no total.
 * @param {Summary} summary
 * @param {string | null} window
 */
function totalOf({ total, is_complete }, window) {
  if (total !== null) return loginsOf(total, window)
  return is_complete ? 0 : null
}

/** The tasks that read the input; the others count what these have made of it. */
const inputTasks = /^0_/

/**
 * How many records of the input have not been read yet. The partial counts between the tasks are no logins: they are not added.
 * @param {Tasks} all
 */
export function lagInWords({ tasks: all }) {
  const tasks = all.filter(({ task }) => inputTasks.test(task))
  const known = tasks.flatMap(({ lag_records }) => (lag_records === null ? [] : [lag_records]))
  if (known.length === 0) return format.nothing
  const sum = known.reduce((all, lag) => all + lag, 0)
  return `${known.length < tasks.length ? 'at least ' : ''}${format.counted(sum, 'record')}`
}

/** @param {Points} points */
function inWords([, values]) {
  const known = values.filter((value) => value !== null)
  if (known.length === 0) return 'Logins per second over time: nothing is known yet'
  const [lowest, highest] = [Math.min(...known), Math.max(...known)]
  return `Logins per second over time: now ${format.rate(values.at(-1))}, lowest ${format.rate(lowest)}, highest ${format.rate(highest)}`
}
