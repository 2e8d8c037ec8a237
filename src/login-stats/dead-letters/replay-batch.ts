import type { Outgoing, RecordAppender, TransactionalProducer } from '../../ports/kafka.ts'
import type { Letter } from './letters.ts'
import { noLetters, type ReplayCounts, type ReplayDecision } from './replay-decision.ts'
import { noMark, type ReplayMark } from './replay-progress.ts'

const mostRecords = 500
const mostBytes = 4 << 20
/** So that topics with a small `max.message.bytes` take them; a larger record makes a batch of its own. */
export const batchBytes = 64 * 1024
const turnsPerSecond = 5

/** What one transaction of a replay holds: records for the input, and a mark for each partition of the dead-letter topic. */
export class ReplayBatch {
  /** By partition of the dead-letter topic. */
  readonly marks: ReplayMark[]
  readonly counts: ReplayCounts = noLetters()
  readonly #inputPartitions: number
  readonly #moved = new Set<number>()
  readonly #appenders = new Map<number, RecordAppender>()
  #bytes = 0

  constructor(marks: readonly ReplayMark[], inputPartitions: number) {
    this.marks = [...marks]
    this.#inputPartitions = inputPartitions
  }

  /** The one behind it. */
  next(): ReplayBatch {
    return new ReplayBatch(this.marks, this.#inputPartitions)
  }

  count(decision: ReplayDecision): void {
    this.counts[decision]++
  }

  markOf(partition: number): ReplayMark {
    return this.marks[partition] ?? noMark
  }

  setMark(partition: number, mark: ReplayMark): void {
    this.marks[partition] = mark
    this.#moved.add(partition)
  }

  /** The partitions of the dead-letter topic in which it has got any further. */
  get moved(): ReadonlySet<number> {
    return this.#moved
  }

  /** Nothing is left below the position. */
  pass(partition: number, position: number): void {
    const mark = this.markOf(partition)
    if (position > mark.offset) this.setMark(partition, { ...mark, offset: position })
  }

  /** All that was there is passed: what comes later is nothing that this replay could have written. */
  finish(partition: number): void {
    const mark = this.markOf(partition)
    if (mark.vouched !== null) this.setMark(partition, { ...mark, vouched: null })
  }

  /** The record that the letter was made of. An input that was made again may have fewer partitions. */
  append({ key, value, origin }: Letter, producer: TransactionalProducer, timestamp: number): void {
    const partition = (origin?.partition ?? 0) % this.#inputPartitions
    const appender = this.#appenders.get(partition) ?? producer.appender(batchBytes)
    this.#appenders.set(partition, appender)
    const before = appender.sizeInBytes
    appender.append(key, value, timestamp, origin?.ownHeaders ?? [])
    this.#bytes += appender.sizeInBytes - before
  }

  isFull(rate: number | null): boolean {
    const most = rate === null ? mostRecords : Math.min(mostRecords, Math.ceil(rate / turnsPerSecond))
    return this.counts.replay >= most || this.#bytes >= mostBytes
  }

  outgoing(topic: string): Outgoing[] {
    return [...this.#appenders].map(([partition, records]) => ({ partition: { topic, partition }, records }))
  }
}
