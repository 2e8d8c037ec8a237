// @ts-check
/** Making and changing elements. What comes from the topic may be anything: it reaches the page here alone, and only ever as text. */

/**
 * @template Item
 * @typedef {object} View
 * @property {HTMLElement} root
 * @property {(item: Item) => void} update
 * @property {() => void} [close] frees what the view holds
 */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string>>} [attributes] fixed ones: never anything from outside
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`The page has no #${id}`)
  return found
}

/**
 * Sets the text of an element where it is another one: what stays as it is, is neither laid out nor read aloud again.
 * @param {HTMLElement} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text
}

/**
 * @param {HTMLElement} target
 * @param {string} name
 * @param {string} value
 */
export function setAttribute(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value)
}

/**
 * Keeps the children of `parent` as a list: each is made once, updated, put in order and removed by its key.
 * @template Item
 * @param {HTMLElement} parent
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => View<Item>} make
 * @returns {(items: readonly Item[]) => void}
 */
export function childrenOf(parent, keyOf, make) {
  /** @type {Map<string, View<Item>>} */
  const views = new Map()
  return (items) => {
    const keys = new Set(items.map(keyOf))
    for (const [key, view] of views) {
      if (keys.has(key)) continue
      view.close?.()
      view.root.remove()
      views.delete(key)
    }
    let next = parent.firstElementChild
    for (const item of items) {
      const key = keyOf(item)
      const view = views.get(key) ?? make(item)
      views.set(key, view)
      view.update(item)
      // Only what is out of place is moved: moving would take the focus away.
      if (view.root === next) next = next.nextElementSibling
      else parent.insertBefore(view.root, next)
    }
  }
}

/** Text from outside, kept apart from the direction of what surrounds it. */
export function foreignText() {
  return element('bdi')
}
