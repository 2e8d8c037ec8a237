/** The records of the dead-letter topic: committed ones, with what their headers say. */
import type { Clock } from '../../ports/clock.ts'
import { type Header, type KafkaClient, partitionsOf, type RecordView } from '../../ports/kafka.ts'
import { WakeUp } from '../../ports/wake-up.ts'
import { type LetterOrigin, originOf } from '../domain/dead-letter.ts'

export interface Letter {
  /** Its own place in the dead-letter topic. */
  readonly partition: number
  readonly offset: number
  /** When it was written, in ms. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** All of them; those of the record alone stand in `origin`. */
  readonly headers: readonly Header[]
  /** Null: no dead letter of this program. */
  readonly origin: LetterOrigin | null
}

export interface LetterRange {
  readonly partition: number
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

export interface LetterChunk {
  readonly partition: number
  readonly letters: readonly Letter[]
  /** All committed letters of the range below this offset have been given. */
  readonly position: number
}

interface LetterReading {
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly topic: string
  /** Ends the reading where it is; asked also while nothing comes. */
  readonly cancelled?: () => boolean
}

/** How long to wait for news of the fetcher before looking at its failures again. */
const lookAgainMs = 100

/**
 * The letters of all ranges, in order within each; ends when all are read, or when it is cancelled. Throws what the fetcher throws, such
 * as OFFSET_OUT_OF_RANGE.
 */
export async function* letterChunks(
  { kafka, clock, topic, cancelled }: LetterReading,
  ranges: readonly LetterRange[],
): AsyncGenerator<LetterChunk> {
  const open = new Map(ranges.filter(({ from, to }) => from < to).map((range) => [range.partition, range.to]))
  // Not as a compacted topic: from a remote tier records may come late, and none may be passed over.
  const fetcher = kafka.fetcher()
  const news = new WakeUp(clock)
  fetcher.onArrival(news.call)
  try {
    for (const { partition, from } of ranges)
      if (open.has(partition)) fetcher.seek({ topic, partition }, from)
    while (open.size > 0 && cancelled?.() !== true) {
      const chunk = fetcher.poll()
      if (chunk === null) {
        // What was fetched without anything to be seen in it moves the position alone.
        const passed = [...open].find(([partition, to]) => fetcher.position({ topic, partition }) >= to)
        if (passed !== undefined) {
          const [partition, position] = passed
          open.delete(partition)
          fetcher.remove({ topic, partition })
          yield { partition, letters: [], position }
          continue
        }
        fetcher.throwFailure()
        await news.wait(lookAgainMs)
        continue
      }
      const { partition, nextOffset } = chunk
      const to = open.get(partition) ?? 0
      const letters: Letter[] = []
      for (let record = chunk.next(); record !== null; record = chunk.next())
        if (record.offset < to) letters.push(letterOf(record, partition))
      if (nextOffset >= to) {
        open.delete(partition)
        fetcher.remove({ topic, partition })
      }
      yield { partition, letters, position: Math.min(nextOffset, to) }
    }
  } finally {
    await fetcher.close()
  }
}

/** Copies: the view is good for one record only. */
function letterOf(record: RecordView, partition: number): Letter {
  const headers = record
    .headers()
    .map(([name, value]): Header => [name, value === null ? null : Buffer.from(value)])
  const copy = (bytes: Buffer | null) => (bytes === null ? null : Buffer.from(bytes))
  return {
    partition,
    offset: record.offset,
    timestamp: record.timestamp,
    key: copy(record.key()),
    value: copy(record.value()),
    headers,
    origin: originOf(headers),
  }
}

/** What the partitions of a topic hold that is committed. */
export async function committedRanges(
  { kafka, topic }: Pick<LetterReading, 'kafka' | 'topic'>,
  partitionCount: number,
): Promise<LetterRange[]> {
  const partitions = partitionsOf(topic, partitionCount)
  const starts = await kafka.admin.listOffsets(partitions, 'earliest')
  const ends = await kafka.admin.listOffsets(partitions, 'lastStable')
  return partitions.map(({ partition }) => ({
    partition,
    from: starts[partition] ?? 0,
    to: ends[partition] ?? 0,
  }))
}
