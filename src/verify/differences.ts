import type { Dimension } from './login.ts'
import type { Difference, DifferenceRange } from './report.ts'
import { asShown } from './shown-key.ts'

type Fresh = Omit<Difference, 'records' | 'range'> & Partial<Pick<Difference, 'records' | 'range'>>

/** Counts all differences and keeps the first, so that a thousand wrong keys take no more memory than a thousand. */
export class Differences {
  count = 0
  /** How many of them records that are gone from the input's start could explain. */
  explainable = 0
  readonly byKind: Record<string, number> = {}
  #first: Difference[] = []
  readonly #most: number

  constructor(most = 1000) {
    this.#most = most
  }

  add(difference: Fresh, isExplainable = false): void {
    this.addUntold(difference, 1, isExplainable)
    if (this.#first.length < this.#most) this.#first.push({ records: [], range: null, ...difference })
  }

  /** Differences that are counted without being told one by one. */
  addUntold({ where, what }: Pick<Difference, 'where' | 'what'>, count = 1, isExplainable = false): void {
    if (count === 0) return
    const kind = `${where} ${what}`
    this.byKind[kind] = (this.byKind[kind] ?? 0) + count
    this.count += count
    if (isExplainable) this.explainable += count
  }

  get first(): readonly Difference[] {
    return this.#first
  }

  setRanges(rangeOf: (difference: Difference) => DifferenceRange | null): void {
    this.#first = this.#first.map((difference) => ({ ...difference, range: rangeOf(difference) }))
  }

  /** When nobody looks for their keys any more: as they may be told. */
  hideForeignKeys(dimensions: readonly Dimension[]): void {
    this.#first = this.#first.map((difference) => asShown(difference, dimensions))
  }

  addAll(other: Differences): void {
    for (const [kind, count] of Object.entries(other.byKind))
      this.byKind[kind] = (this.byKind[kind] ?? 0) + count
    this.count += other.count
    this.explainable += other.explainable
    this.#first.push(...other.first.slice(0, this.#most - this.#first.length))
  }
}
