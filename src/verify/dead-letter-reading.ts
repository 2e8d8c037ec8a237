import { DeadLetters } from './dead-letters.ts'
import type { Differences } from './differences.ts'
import { batchesOf, type CommittedBatch, type Range } from './read-committed.ts'
import type { InputPartition } from './report.ts'
import type { TopicReading } from './topic-reading.ts'

/** Reads the dead letters twice, as `DeadLetters` wishes: once for a survey, and once next to the input. */
export class DeadLetterReading {
  readonly letters: DeadLetters
  readonly #reading: TopicReading
  readonly #ranges: readonly Range[]
  /** The second reading, by partition. */
  readonly #second = new Map<number, AsyncGenerator<CommittedBatch>>()

  constructor(
    reading: TopicReading,
    ranges: readonly Range[],
    options: { inputTopic: string; input: readonly InputPartition[]; differences: Differences },
  ) {
    const { inputTopic, input, differences } = options
    this.#reading = reading
    this.#ranges = ranges
    this.letters = new DeadLetters({
      ...{ inputTopic, differences },
      starts: input.map(({ logStart }) => logStart),
      ends: input.map(({ committed, end }) => Math.min(committed ?? 0, end)),
    })
  }

  async survey(): Promise<void> {
    const progress = this.#reading.progress('dead letters', this.#ranges)
    for (const range of this.#ranges)
      for await (const batch of batchesOf(this.#reading.reader, range)) {
        for (const record of batch.records) this.letters.survey(record, range.partition)
        progress(range, batch)
      }
  }

  /** So that the records of an input partition up to an offset can be told to the letters; all if it is infinite. */
  async mergeUpTo(partition: number, offset: number): Promise<void> {
    const range = this.#ranges[partition]
    if (range === undefined) return
    const second = this.#second.get(partition) ?? batchesOf(this.#reading.reader, range)
    this.#second.set(partition, second)
    while (!this.letters.isMergedBeyond(partition, offset)) {
      const next = await second.next()
      if (next.done === true) return
      for (const record of next.value.records) this.letters.merge(record, partition)
    }
  }
}
