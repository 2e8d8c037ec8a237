import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FetchedRecords, KafkaClient, TopicPartition } from '../../ports/kafka.ts'

/** How long to wait for news of the fetcher before looking at its failures again. */
const lookAgainMs = 100

interface PartitionReading {
  kafka: KafkaClient
  clock: Clock
  partition: TopicPartition
  from: number
  to: number
  /** Takes all records of the chunk before it resolves. */
  onRecords: (records: FetchedRecords) => Promise<void> | void
  cancelled?: () => boolean
  /**
   * TRANSACTION_HANGING after an open transaction has held the end of what may be read back for so long. If absent, that is waited for
   * without end, and what is open below `from` does not matter.
   */
  maxHeldBackMs?: number
  /** For the message of TRANSACTION_HANGING. */
  operation?: string
}

/**
 * Reads the committed records of one partition of a compacted topic from `from` to `to` (exclusive), chunk by chunk, with bounded
 * memory. Resolves when the position has reached `to`, and with `maxHeldBackMs` no transaction is open below it, or earlier when
 * `cancelled` says so. Throws what the fetcher throws.
 */
export async function readPartition(options: PartitionReading): Promise<void> {
  const { kafka, clock, partition, from, to, onRecords, cancelled } = options
  const { maxHeldBackMs = Number.POSITIVE_INFINITY } = options
  // Where nothing is to be read, no reading shows that all is stable. What an open transaction has written is in the store already:
  // whoever writes on under the same transactional id would decide about it once more, and might abort it.
  if (from >= to) {
    if (options.maxHeldBackMs !== undefined) await untilStable(options, options.maxHeldBackMs)
    return
  }
  let heldBackSince: number | null = null
  const fetcher = kafka.fetcher({ maxBytesPerPartition: 4 << 20, isCompacted: true })
  let wake = (): void => {}
  fetcher.onArrival(() => wake())
  try {
    fetcher.seek(partition, from)
    while (cancelled?.() !== true) {
      const chunk = fetcher.poll()
      if (chunk !== null) {
        heldBackSince = null
        await onRecords(chunk)
        if (chunk.nextOffset >= to) return
        await clock.yield()
        continue
      }
      if (fetcher.position(partition) >= to) return
      fetcher.throwFailure()
      const stable = fetcher.lastStableOffset(partition)
      if (stable === null || fetcher.position(partition) < stable) heldBackSince = null
      else heldBackSince ??= clock.monotonic()
      if (heldBackSince !== null && clock.monotonic() - heldBackSince > maxHeldBackMs) {
        // Nobody may have answered all that time: asked once more, a broker that is away fails here, and one that is back says the end.
        const [now = 0] = await kafka.admin.listOffsets([partition], 'lastStable')
        if (now <= fetcher.position(partition)) throw hanging(options, now)
        heldBackSince = null
      }
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

/** Waits for markers that are still being written. */
async function untilStable(reading: PartitionReading, maxHeldBackMs: number): Promise<void> {
  const { kafka, clock, partition, from, cancelled } = reading
  const startedAt = clock.monotonic()
  while (cancelled?.() !== true) {
    const [stable = 0] = await kafka.admin.listOffsets([partition], 'lastStable')
    if (stable >= from) return
    if (clock.monotonic() - startedAt > maxHeldBackMs) throw hanging(reading, stable)
    await clock.sleep(lookAgainMs)
  }
}

/** A broker that has lost a marker, as after an unclean election of a leader, keeps its transaction open for ever (KIP-664). */
function hanging({ partition, operation = 'restore a task' }: PartitionReading, offset: number): CodedError {
  return new CodedError('TRANSACTION_HANGING', { operation, ...partition, offset })
}
