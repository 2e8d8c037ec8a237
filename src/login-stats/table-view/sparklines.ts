import type { KeyedRow } from '../table/index.ts'

const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']

/** How many logins each row got in each of the last seconds, as far as it was looked at. */
export class Sparklines {
  readonly #width: number
  readonly #counts = new Map<string, number[]>()

  constructor(width: number) {
    this.#width = width
  }

  get width(): number {
    return this.#width
  }

  /** Called once a second with the rows that are shown; those that are not shown any more are forgotten. */
  note(rows: readonly KeyedRow[]): void {
    const shown = new Set(rows.map(({ key }) => key))
    for (const key of this.#counts.keys()) if (!shown.has(key)) this.#counts.delete(key)
    for (const { key, count } of rows) {
      const counts = this.#counts.get(key) ?? []
      counts.push(count)
      if (counts.length > this.#width + 1) counts.shift()
      this.#counts.set(key, counts)
    }
  }

  /** One character for each second, the newest at the right; blanks where nothing is known. */
  of(key: string): string {
    const counts = this.#counts.get(key) ?? []
    const grown = counts.slice(1).map((count, at) => Math.max(0, count - (counts[at] ?? 0)))
    const most = Math.max(1, ...grown)
    const line = grown.map((more) => (more === 0 ? '▁' : blocks[Math.ceil((more / most) * 7)])).join('')
    return line.padStart(this.#width)
  }
}
