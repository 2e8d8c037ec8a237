// @ts-check
/** The instances of the group, and how many tasks each has. */
import { byId, element, foreignText, setAttribute, setText } from './elements.js'
import * as format from './format.js'
import { cell, headingCell, listTable, tableRow } from './tables.js'

/** @import { Instance, Tasks } from '../http/api-schemas.ts' */
/** @import { View } from './elements.js' */

const columns = [
  { label: 'Instance', class: 'name' },
  { label: 'Tasks', class: 'number' },
  { label: 'Standbys', class: 'number' },
]

export function instancesView() {
  const count = byId('instance-count')
  const { root, show } = listTable(
    'instance-table',
    'Instances and how many tasks each has',
    columns,
    (/** @type {Instance} */ { instance }) => instance,
    instanceRow,
  )
  return {
    /** @param {Tasks | null} tasks */
    update(tasks) {
      const instances = tasks?.instances ?? []
      root.hidden = instances.length === 0
      setText(count, tasks === null ? '' : `${format.count(instances.length)} in the group`)
      show([...instances].sort((a, b) => a.instance.localeCompare(b.instance, 'en', { numeric: true })))
    },
  }
}

/** @returns {View<Instance>} */
function instanceRow() {
  const [name, host] = [foreignText(), foreignText()]
  const note = element('span', { class: 'state-word' })
  const place = element('a', { rel: 'noreferrer' })
  const [tasks, standbys] = [cell('number'), cell('number')]
  const where = element('div', { class: 'aside' }, host, ' ', place, ' ', note)
  return {
    root: tableRow(headingCell('name', element('div', {}, name), where), tasks, standbys),
    update({ instance, host: seenAt, endpoint, is_reachable, is_this, tasks: active, standby_tasks }) {
      setText(name, format.readable(instance))
      setAttribute(note, 'data-state', is_reachable ? 'this' : 'unknown')
      setText(note, is_this ? 'this one' : is_reachable ? '' : 'does not answer')
      const url = webAddress(endpoint)
      // Where its server is on the host that the broker sees, that is said once.
      setText(host, url?.hostname === seenAt ? '' : format.readable(seenAt))
      place.hidden = url === null
      if (url !== null) {
        setAttribute(place, 'href', url.href)
        setText(place, url.host)
      }
      setText(tasks, format.count(active.length))
      setText(standbys, format.count(standby_tasks.length))
    },
  }
}

/**
 * What the instance says where its server is: a link only where it leads to a web server.
 * @param {string | null} endpoint
 */
function webAddress(endpoint) {
  if (endpoint === null || !URL.canParse(endpoint)) return null
  const url = new URL(endpoint)
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : null
}
