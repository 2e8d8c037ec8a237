import type { Clock } from '../../ports/clock.ts'
import type { FetchedRecords, KafkaClient } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { TopicFollower } from '../table/topic-follower.ts'

/** A dead letter without a code, which somebody else has written. */
const noCode = 'none'
/** Codes of others may be any text, and many. */
const mostCodes = 100
const longestCode = 64
const furtherCodes = 'other'

/**
 * How many dead letters have been in the topic since this reader began to follow it, by code: those that retention had not deleted by then.
 * What it deletes afterwards stays counted, so that readers who began at other times may count differently.
 */
export class DeadLetterCounts {
  readonly byCode = new Map<string, number>()
  readonly #follower: TopicFollower

  constructor(options: { kafka: KafkaClient; clock: Clock; log: Log; topic: string }) {
    this.#follower = new TopicFollower({
      ...options,
      isCompacted: false,
      take: (records) => this.#take(records),
      restart: () => this.byCode.clear(),
    })
    this.#follower.start()
  }

  /** Whether all that was there has been counted. */
  get isComplete(): boolean {
    return this.#follower.isComplete
  }

  get count(): number {
    return [...this.byCode.values()].reduce((sum, count) => sum + count, 0)
  }

  close(): Promise<void> {
    return this.#follower.close()
  }

  #take(records: FetchedRecords): void {
    for (let record = records.next(); record !== null; record = records.next()) {
      const value = record.headers().findLast(([name]) => name === 'error')?.[1]
      const told = value?.toString() ?? noCode
      const isKept = this.byCode.has(told) || (this.byCode.size < mostCodes && told.length <= longestCode)
      const code = isKept ? told : furtherCodes
      this.byCode.set(code, (this.byCode.get(code) ?? 0) + 1)
    }
  }
}
