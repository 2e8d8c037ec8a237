// @ts-check
/**
 * The live page. Events of the server change what is known; what is known is drawn, at most once a frame.
 *
 *     /api/stream -> stream.js -> here -> history.js             what charts are made of
 *                                      -> overview.js, dimensions.js, dead-letters.js, tasks.js, instances.js
 *                                      -> status.js              how old it all is, once a second
 */
import { deadLettersView } from './dead-letters.js'
import { dimensionCards, sparklineSpanMs } from './dimensions.js'
import { byId } from './elements.js'
import { CountHistory, Course } from './history.js'
import { instancesView } from './instances.js'
import { overview, rateSpanMs } from './overview.js'
import { hasAllRows, loginsOfAll } from './ranking.js'
import { statusView } from './status.js'
import { followStream } from './stream.js'
import { tasksView } from './tasks.js'
import { windowRows } from './window-rows.js'
import { windowSwitch } from './window-switch.js'

/** @import { Row, Summary, Tasks } from '../http/api-schemas.ts' */
/** @import { LastAnswer } from './freshness.js' */

const sparklineStepMs = 4_000
/** Told every two seconds; what is older than this is shown as of when it was. */
const tasksStaleMs = 10_000

/** @type {Summary | null} */
let summary = null
/** @type {Tasks | null} */
let tasks = null
/** When the tasks were told: while Kafka cannot be asked for them, the table may be read all the same. */
let tasksToldAt = 0
/** @type {LastAnswer | null} */
let answer = null
/** @type {boolean | null} */
let isConnected = null
/** @type {string | null} why the server does not take the connection, where it says so */
let refusal = null
/** @type {string | null} the rolling window that is shown; null: all time */
let chosenWindow = null
let isDrawing = false

const counts = new CountHistory(sparklineSpanMs, sparklineStepMs)
const rates = new Course(rateSpanMs)
const status = statusView()
const totals = overview(rates)
const showDimensions = dimensionCards(byId('dimensions'), counts)
const deadLetters = deadLettersView()
const [taskList, instanceList] = [tasksView(), instancesView()]
const rowsOfWindow = windowRows((rows) => {
  sample(rows, Date.now())
  draw()
})
const windows = windowSwitch(byId('windows'), (chosen) => {
  chosenWindow = chosen
  rowsOfWindow.choose(chosen)
  if (summary !== null) rowsOfWindow.follow(summary, Date.now())
  draw()
})

followStream('api/stream?events=summary,tasks&limit=10', {
  onSummary(received) {
    const now = Date.now()
    summary = received
    answer = {
      receivedAt: now,
      ageMs: received.age_ms,
      isComplete: received.is_complete,
      failure: received.failure?.message ?? null,
    }
    rates.add(received.rate_per_second, now)
    for (const { top, least } of received.dimensions) sample([...top, ...least], now)
    counts.forget(now)
    // Of a table that is being read nothing is told: its windows stay as they are.
    if (received.is_complete) windows.offer(received.windows, chosenWindow)
    rowsOfWindow.follow(received, now)
    draw()
  },
  onTasks(received) {
    tasks = received
    tasksToldAt = Date.now() - received.age_ms
    draw()
  },
  onConnection(connected, cause) {
    isConnected = connected
    refusal = cause
    // A line over a time of which nothing is known would be made up.
    if (!connected) rates.add(null, Date.now())
    showStatus()
  },
})

/** @param {readonly Row[]} rows @param {number} now */
function sample(rows, now) {
  for (const { key, count } of rows) counts.add(key, count, now)
}

function draw() {
  if (isDrawing) return
  isDrawing = true
  requestAnimationFrame(() => {
    isDrawing = false
    drawNow(Date.now())
  })
}

/** @param {number} now */
function drawNow(now) {
  showStatus()
  const isKnown = now - tasksToldAt < tasksStaleMs
  totals.update(summary, isKnown ? tasks : null, chosenWindow, now)
  taskList.update(tasks, isKnown ? null : tasksToldAt)
  instanceList.update(tasks)
  deadLetters.update(summary)
  if (summary === null) return
  showDimensions(
    summary.dimensions.map((known) => {
      const ofWindow = rowsOfWindow.of(known.dimension)
      const rows = ofWindow ?? known
      const isOfWindow = chosenWindow === null || ofWindow !== undefined || hasAllRows(known)
      return {
        dimension: known.dimension,
        rows,
        window: chosenWindow,
        isOfWindow,
        all: loginsOfAll(rows, chosenWindow, chosenWindow === null || ofWindow !== undefined),
        now,
      }
    }),
  )
  byId('no-logins').hidden = summary.total !== null || !summary.is_complete
}

function showStatus() {
  status.update(isConnected, refusal, answer, Date.now())
}

setInterval(() => {
  showStatus()
  if (tasks !== null && Date.now() - tasksToldAt >= tasksStaleMs) draw()
}, 1_000)
draw()
