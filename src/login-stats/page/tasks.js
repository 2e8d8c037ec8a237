// @ts-check
/** Where the tasks are, and how far each has got. Those that do not run come first. */
import { byId, element, foreignText, setAttribute, setText } from './elements.js'
import * as format from './format.js'
import { lagInWords } from './overview.js'
import { cell, headingCell, listTable, tableRow } from './tables.js'

/** @import { Restore, Task, Tasks } from '../http/api-schemas.ts' */
/** @import { View } from './elements.js' */

/** More are shown when asked for. */
const shownAtFirst = 16

/** Without a break in it. */
const beforePartition = '\u00a0/\u00a0'

const columns = [
  { label: 'Task', class: 'task' },
  { label: 'Reads', class: 'topic' },
  { label: 'On', class: 'instance' },
  { label: 'State', class: 'state' },
  { label: 'Lag', class: 'number lag' },
  { label: 'Standbys', class: 'standbys' },
]

export function tasksView() {
  const [group, more] = [byId('group'), byId('more-tasks')]
  const { root, show } = listTable(
    'task-table',
    'Tasks, where they are, and their lag in records',
    columns,
    (/** @type {Task} */ { task }) => task,
    taskRow,
  )
  /** @type {readonly Task[]} */
  let ordered = []
  let isWhole = false

  const showTasks = () => show(isWhole ? ordered : ordered.slice(0, shownAtFirst))
  more.addEventListener('click', () => {
    isWhole = !isWhole
    showTasks()
    showButton()
  })
  function showButton() {
    more.hidden = ordered.length <= shownAtFirst
    setAttribute(more, 'aria-expanded', String(isWhole))
    setText(more, isWhole ? 'Show fewer' : `Show all ${format.count(ordered.length)} tasks`)
  }

  return {
    /**
     * @param {Tasks | null} tasks
     * @param {number | null} staleSince when they were told, where that is too long ago
     */
    update(tasks, staleSince) {
      root.hidden = tasks === null || tasks.tasks.length === 0
      root.toggleAttribute('data-stale', staleSince !== null)
      const asOf = staleSince === null ? '' : `As of ${format.clockTime(staleSince)}, not known since: `
      setText(group, tasks === null ? '' : asOf + groupInWords(tasks))
      ordered = tasks === null ? [] : [...tasks.tasks].sort(byUrgency)
      showTasks()
      showButton()
    },
  }
}

/** @param {Task} a @param {Task} b */
function byUrgency(a, b) {
  const running = Number(a.state === 'running') - Number(b.state === 'running')
  return running || a.task.localeCompare(b.task, 'en', { numeric: true })
}

/**
 * Such as "7 running, 1 restoring; input lag 12 records. Group login-stats: Stable."
 * @param {Tasks} tasks
 */
function groupInWords(tasks) {
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const { state } of tasks.tasks) counts.set(state, (counts.get(state) ?? 0) + 1)
  const states = [...counts].map(([state, number]) => `${format.count(number)} ${format.readable(state)}`)
  const lag = lagInWords(tasks)
  const what = states.length === 0 ? 'None' : states.join(', ')
  const behind = lag === format.nothing ? '' : `; input lag ${lag}`
  return `${what}${behind}. Group ${format.readable(tasks.group)}: ${format.readable(tasks.group_state)}.`
}

/** @returns {View<Task>} */
function taskRow() {
  const [name, topic, instance] = [foreignText(), foreignText(), foreignText()]
  const state = element('span', { class: 'state-word' })
  const progress = element('progress', { 'aria-label': 'Restored', max: '1' })
  const remaining = element('span', { class: 'aside' })
  const restore = element('div', { class: 'restore' }, progress, remaining)
  const lag = cell('number lag')
  const standbys = cell('standbys')
  lag.dataset.label = 'Lag'
  standbys.dataset.label = 'Standbys'
  return {
    root: tableRow(
      headingCell('task', name),
      cell('topic', topic),
      cell('instance', instance),
      cell('state', state, restore),
      lag,
      standbys,
    ),
    update(task) {
      setText(name, format.readable(task.task))
      setText(topic, `${format.readable(task.topic)}${beforePartition}${task.partition}`)
      setText(instance, task.instance === null ? 'no instance' : format.shortName(task.instance))
      setAttribute(instance, 'title', task.instance ?? '')
      setAttribute(state, 'data-state', task.state)
      setText(state, format.readable(task.state))
      restore.hidden = task.restore === null
      if (task.restore !== null) {
        progress.value = restoredPart(task.restore)
        setText(remaining, remainingInWords(task.restore))
      }
      setText(lag, format.count(task.lag_records))
      setText(standbys, task.standbys.map(standbyInWords).join(', ') || 'none')
      standbys.toggleAttribute('data-none', task.standbys.length === 0)
    },
  }
}

/** @param {Restore} restore */
function restoredPart({ position, end }) {
  return end === 0 ? 1 : Math.min(1, position / end)
}

/** @param {Restore} restore */
function remainingInWords({ remaining_records: records, remaining_seconds: seconds }) {
  const left = `${format.count(records)} left`
  return seconds === null ? left : `${left}, ${format.duration(seconds * 1000)}`
}

/** @param {Task['standbys'][number]} standby */
function standbyInWords({ instance, lag_records: lag }) {
  const behind = lag === null ? '' : lag === 0 ? '\u00a0(warm)' : `\u00a0(${format.count(lag)}\u00a0behind)`
  return `${format.shortName(instance)}${behind}`
}
