import type { PartialHeader } from './partial.ts'

/**
 * Which source transactions have been read whole, and up to where each source partition has thereby been counted. A commit
 * is allowed only while none is half read.
 */
export class SourceTransactions {
  readonly #sourceTopics: readonly string[]
  readonly #halfRead = new Set<number>()
  readonly #counted: Record<string, Record<string, number>>

  /** `counted` as the last commit left it, by topic and partition. */
  constructor(
    sourceTopics: readonly string[],
    counted: Readonly<Record<string, Readonly<Record<string, number>>>>,
  ) {
    this.#sourceTopics = sourceTopics
    this.#counted = {}
    for (const [topic, partitions] of Object.entries(counted)) this.#counted[topic] = { ...partitions }
  }

  read(header: PartialHeader): void {
    if (!header.isLast) {
      this.#halfRead.add(header.sourcePartition)
      return
    }
    this.#halfRead.delete(header.sourcePartition)
    for (const [index, topic] of this.#sourceTopics.entries()) {
      const offset = header.offsets[index]
      if (offset === undefined) continue
      this.#counted[topic] ??= {}
      this.#counted[topic][header.sourcePartition] = offset
    }
  }

  get isWhole(): boolean {
    return this.#halfRead.size === 0
  }

  /** A copy. */
  counted(): Record<string, Record<string, number>> {
    return Object.fromEntries(
      Object.entries(this.#counted).map(([topic, partitions]) => [topic, { ...partitions }]),
    )
  }
}
