import { systemClock } from '../../src/system/clock.ts'
import { type KafkaReader, openReader } from '../../src/verify/index.ts'
import type { Application } from './application.ts'

const pollMs = 100

/**
 * Watches from outside, by the committed offsets of the group, how long an application makes no progress although there is
 * input. A Kafka that does not answer counts as no progress.
 */
export class ProgressWatch {
  /** The longest such time so far. */
  stalledMs = 0
  readonly #application: Application
  readonly #end: Promise<void>
  #isEnded = false

  constructor(application: Application) {
    this.#application = application
    this.#end = this.#watch()
  }

  async #watch(): Promise<void> {
    const { appId, inputTopic, brokers } = this.#application.config
    let reader: KafkaReader | null = null
    let last = ''
    let wasDone = false
    let since = systemClock.monotonic()
    while (!this.#isEnded) {
      try {
        reader ??= await openReader({ brokers }, systemClock)
        const ends = await reader.offsets(inputTopic, 'highWatermark')
        const committed = await reader.committedOffsets(appId, inputTopic)
        const isDone = ends.every((end, partition) => end === 0 || committed[partition] === end)
        if (isDone || committed.join() !== last) {
          // From one look without open input to the next nothing has stood still, however busy this process was in between.
          if (!wasDone) this.#stalledUntilNow(since)
          last = committed.join()
          since = systemClock.monotonic()
        }
        wasDone = isDone
      } catch {
        // Kafka is away, which may be the fault itself; the time goes on counting, and the next look opens a reader of its own.
        await reader?.close().catch(() => undefined)
        reader = null
      }
      await systemClock.sleep(pollMs)
    }
    if (!wasDone) this.#stalledUntilNow(since)
    await reader?.close()
  }

  #stalledUntilNow(since: number): void {
    this.stalledMs = Math.max(this.stalledMs, Math.round(systemClock.monotonic() - since))
  }

  /** Ends the watch. Resolves with the longest time without progress, in milliseconds. */
  async end(): Promise<number> {
    this.#isEnded = true
    await this.#end
    return this.stalledMs
  }
}
