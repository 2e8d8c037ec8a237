import type { KeyedRow } from '../table/index.ts'

const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']

const secondMs = 1000

interface Sample {
  /** On the monotonic clock. */
  readonly at: number
  readonly count: number
}

/** How many logins each row got in each of the last seconds, as far as it was looked at. */
export class Sparklines {
  readonly #width: number
  readonly #samples = new Map<string, Sample[]>()
  #newestAt = Number.NEGATIVE_INFINITY

  constructor(width: number) {
    this.#width = width
  }

  /** In characters, and in seconds. */
  get width(): number {
    return this.#width
  }

  /** The rows that are shown, as they were `at` that moment of the monotonic clock; those that are not shown any more are forgotten. */
  note(rows: readonly KeyedRow[], at: number): void {
    // The same moment again, while nothing newer can be read: what comes with the next one has come since.
    if (at <= this.#newestAt) return
    this.#newestAt = at
    const shown = new Set(rows.map(({ key }) => key))
    for (const key of this.#samples.keys()) if (!shown.has(key)) this.#samples.delete(key)
    const from = this.#endOfSecond - this.#width * secondMs
    for (const { key, count } of rows) {
      const samples = this.#samples.get(key) ?? []
      samples.push({ at, count })
      // One from before the first second stays: what that second begins with is between it and the next.
      while ((samples[1]?.at ?? at) <= from) samples.shift()
      this.#samples.set(key, samples)
    }
  }

  /** One character for each whole second, the newest at the right; blanks where nothing is known. Between two looks logins came evenly. */
  of(key: string): string {
    const samples = this.#samples.get(key) ?? []
    const grown: number[] = []
    for (
      let start = this.#endOfSecond - this.#width * secondMs;
      start < this.#endOfSecond;
      start += secondMs
    ) {
      const [before, after] = [countAt(samples, start), countAt(samples, start + secondMs)]
      if (before !== null && after !== null) grown.push(Math.max(0, after - before))
    }
    const most = Math.max(1, ...grown)
    const line = grown.map((more) => (more === 0 ? '▁' : blocks[Math.ceil((more / most) * 7)])).join('')
    return line.padStart(this.#width)
  }

  /** Seconds begin and end at the same moments however often one looks. */
  get #endOfSecond(): number {
    return Math.floor(this.#newestAt / secondMs) * secondMs
  }
}

/** Null before the first look. */
function countAt(samples: readonly Sample[], moment: number): number | null {
  const next = samples.findIndex(({ at }) => at >= moment)
  const [before, after] = [samples[next - 1], samples[next]]
  if (after === undefined) return null
  if (before === undefined) return after.at === moment ? after.count : null
  return before.count + ((after.count - before.count) * (moment - before.at)) / (after.at - before.at)
}
