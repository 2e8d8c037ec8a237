// @ts-check
/** The choice between all time and the rolling windows: radio buttons, so that the arrow keys work as one knows them. */
import { element } from './elements.js'

/** The choice is kept in the address, so that it outlives a reload and can be sent to somebody. */
const prefix = '#last-'

/**
 * @param {HTMLElement} parent a fieldset
 * @param {(window: string | null) => void} onChoice null: all time
 */
export function windowSwitch(parent, onChoice) {
  /** @type {string | null} */
  let shown = null
  /** @type {string | null} what the reader has chosen, offered at present or not: the table may be empty, or be read anew */
  let wanted = windowInAddress()

  parent.addEventListener('change', ({ target }) => {
    if (!(target instanceof HTMLInputElement)) return
    const chosen = target.value === '' ? null : target.value
    wanted = chosen
    history.replaceState(null, '', chosen === null ? location.pathname : prefix + encodeURIComponent(chosen))
    onChoice(chosen)
  })

  return {
    /**
     * Shows the windows that there are.
     * @param {readonly string[]} windows
     * @param {string | null} current
     */
    offer(windows, current) {
      const offered = windows.join(' ')
      if (offered === shown) return
      shown = offered
      const chosen = wanted !== null && windows.includes(wanted) ? wanted : null
      parent.querySelectorAll('label').forEach((label) => {
        label.remove()
      })
      parent.append(option('', 'All time', chosen === null))
      parent.append(...windows.map((name) => option(name, name, name === chosen)))
      parent.hidden = windows.length === 0
      if (chosen !== current) onChoice(chosen)
    },
  }
}

/** Null where the address names none; a link may have been cut or mistyped. */
function windowInAddress() {
  if (!location.hash.startsWith(prefix)) return null
  try {
    return decodeURIComponent(location.hash.slice(prefix.length))
  } catch {
    return null
  }
}

/** @param {string} value @param {string} text @param {boolean} isChosen */
function option(value, text, isChosen) {
  const input = element('input', { type: 'radio', name: 'window', class: 'unseen' })
  input.value = value
  input.checked = isChosen
  const before = value === '' ? [] : [element('span', { class: 'unseen' }, 'last ')]
  return element('label', {}, input, element('span', { class: 'option' }, ...before, text))
}
