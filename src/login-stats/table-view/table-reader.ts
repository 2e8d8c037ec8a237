import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaClient } from '../../ports/kafka.ts'
import { parseRow, type TableRow } from '../domain/table-row.ts'

export interface FollowOptions {
  readonly kafka: KafkaClient
  readonly clock: Clock
  /** The topic of the table. */
  readonly topic: string
  /** Each row in the order of its partition; null where the key was deleted. */
  onRow(key: string, row: TableRow | null): void
  /** Called once, when the rows that were there at the start have been read. */
  onCaughtUp?(): void
  /** Called between chunks and at least a few times a second; true ends the reading. */
  isDone(caughtUp: boolean): boolean
}

const pollMs = 200

/** Reads the table from its start, committed rows alone. Throws TOPIC_MISSING, and what the fetcher throws. */
export async function followTable(options: FollowOptions): Promise<void> {
  const { kafka, clock, topic } = options
  const partitionCount = (await kafka.admin.topics([topic])).get(topic)?.partitionCount
  if (partitionCount === undefined)
    throw new CodedError('TOPIC_MISSING', { operation: 'read the table', topic })
  const partitions = Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition }))
  const ends = await kafka.admin.listOffsets(partitions, 'lastStable')
  const starts = await kafka.admin.listOffsets(partitions, 'earliest')
  const unread = new Set(
    partitions.flatMap(({ partition }) =>
      (ends[partition] ?? 0) > (starts[partition] ?? 0) ? partition : [],
    ),
  )
  const fetcher = kafka.fetcher({ maxWaitMs: pollMs, isCompacted: true })
  let wake = (): void => undefined
  fetcher.onArrival(() => wake())
  let isCaughtUp = false
  try {
    for (const partition of partitions) fetcher.seek(partition, starts[partition.partition] ?? 0)
    for (;;) {
      if (!isCaughtUp && unread.size === 0) {
        isCaughtUp = true
        options.onCaughtUp?.()
      }
      if (options.isDone(isCaughtUp)) return
      fetcher.throwFailure()
      const chunk = fetcher.poll()
      if (chunk === null) {
        await new Promise<void>((resolve) => {
          wake = resolve
          clock.setTimer(pollMs, resolve)
        })
        continue
      }
      for (let record = chunk.next(); record !== null; record = chunk.next()) {
        const value = record.value()
        const row = value === null ? null : parseRow(value)
        // Something that is no row is not shown; nor is it a deletion.
        if (value === null || row !== null) options.onRow(record.key()?.toString() ?? '', row)
      }
      if (chunk.nextOffset >= (ends[chunk.partition] ?? 0)) unread.delete(chunk.partition)
    }
  } finally {
    await fetcher.close()
  }
}
