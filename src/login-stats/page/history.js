// @ts-check
/** What the page has seen since it was opened, for its charts. Times are milliseconds since the Unix epoch; the points of a chart, seconds. */

/** @typedef {[times: number[], values: (number | null)[]]} Points */

/** The rate at which each of many counts has grown. */
export class CountHistory {
  /** @type {Map<string, { at: number, count: number }[]>} */
  #samples = new Map()
  /** @type {number} */
  #spanMs
  /** @type {number} */
  #stepMs

  /**
   * @param {number} spanMs how long a sample is kept
   * @param {number} stepMs the least time between two samples of a count
   */
  constructor(spanMs, stepMs) {
    this.#spanMs = spanMs
    this.#stepMs = stepMs
  }

  /**
   * @param {string} key
   * @param {number} count
   * @param {number} at
   */
  add(key, count, at) {
    const samples = this.#samples.get(key) ?? []
    const last = samples.at(-1)
    if (last !== undefined) {
      // Of two answers under way at once the older may come last: that is no sample.
      if (at >= last.at && at - last.at < this.#stepMs) return
      // The table has started over, or the clock was put back.
      if (count < last.count || at < last.at) samples.length = 0
    }
    samples.push({ at, count })
    this.#samples.set(key, samples)
  }

  /**
   * Forgets what is too old for a chart, and the keys of which nothing is left. One sample before the span stays: the first rate is counted
   * from it.
   * @param {number} now
   */
  forget(now) {
    const from = now - this.#spanMs
    for (const [key, samples] of this.#samples) {
      const kept = samples.findIndex(({ at }) => at >= from)
      if (kept === -1) this.#samples.delete(key)
      else if (kept > 1) samples.splice(0, kept - 1)
    }
  }

  /**
   * Counts a second, each at the end of the time that it is the mean of.
   * @param {string} key
   * @returns {Points}
   */
  points(key) {
    /** @type {Points} */
    const points = [[], []]
    let before
    for (const sample of this.#samples.get(key) ?? []) {
      if (before !== undefined) {
        points[0].push(sample.at / 1000)
        points[1].push((1000 * (sample.count - before.count)) / (sample.at - before.at))
      }
      before = sample
    }
    return points
  }
}

/** The course of one number. */
export class Course {
  /** @type {{ at: number, value: number | null }[]} */
  #samples = []
  /** @type {number} */
  #spanMs

  /** @param {number} spanMs how long a sample is kept */
  constructor(spanMs) {
    this.#spanMs = spanMs
  }

  /**
   * @param {number | null} value null: from here on it was not known
   * @param {number} at
   */
  add(value, at) {
    const last = this.#samples.at(-1)
    if (last !== undefined && at < last.at) this.#samples.length = 0
    if (last?.value === null && value === null) return
    this.#samples.push({ at, value })
    const kept = this.#samples.findIndex(({ at: sampledAt }) => sampledAt >= at - this.#spanMs)
    if (kept > 0) this.#samples.splice(0, kept)
  }

  /** @returns {Points} */
  points() {
    return [this.#samples.map(({ at }) => at / 1000), this.#samples.map(({ value }) => value)]
  }
}

/**
 * From when to when a chart goes, in seconds: up to now, as far back as there is something to show, but not less than a minute.
 * @param {number | undefined} first the time of the first point, in seconds
 * @param {number} now
 * @param {number} spanMs the longest
 * @returns {[from: number, to: number]}
 */
export function chartSpan(first, now, spanMs) {
  const to = now / 1000
  const longest = to - spanMs / 1000
  return [Math.max(longest, Math.min(first ?? to, to - 60)), to]
}
