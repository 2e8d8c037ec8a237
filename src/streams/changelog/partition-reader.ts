import type { Clock } from '../../ports/clock.ts'
import type { FetchedRecords, KafkaClient, TopicPartition } from '../../ports/kafka.ts'

/** How long to wait for news of the fetcher before looking at its failures again. */
const lookAgainMs = 100

/**
 * Reads the committed records of one partition of a compacted topic from `from` to `to` (exclusive), chunk by chunk, with bounded memory.
 * Resolves when the position has reached `to`, or earlier when `cancelled` says so. Throws what the fetcher throws.
 */
export async function readPartition(options: {
  kafka: KafkaClient
  clock: Clock
  partition: TopicPartition
  from: number
  to: number
  /** Takes all records of the chunk before it resolves. */
  onRecords: (records: FetchedRecords) => Promise<void> | void
  cancelled?: () => boolean
}): Promise<void> {
  const { kafka, clock, partition, from, to, onRecords, cancelled } = options
  if (from >= to) return
  const fetcher = kafka.fetcher({ maxBytesPerPartition: 4 << 20, isCompacted: true })
  let wake = (): void => {}
  fetcher.onArrival(() => wake())
  try {
    fetcher.seek(partition, from)
    while (cancelled?.() !== true) {
      const chunk = fetcher.poll()
      if (chunk !== null) {
        await onRecords(chunk)
        if (chunk.nextOffset >= to) return
        await clock.yield()
        continue
      }
      if (fetcher.position(partition) >= to) return
      fetcher.throwFailure()
      await new Promise<void>((resolve) => {
        const cancel = clock.setTimer(lookAgainMs, resolve)
        wake = () => {
          cancel()
          resolve()
        }
      })
    }
  } finally {
    await fetcher.close()
  }
}
