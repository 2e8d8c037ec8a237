/**
 * How far replays have got. A replay writes its progress into the transactions that hold the replayed records, as the committed
 * offsets of a group without members: `<APP_ID>-dlq-replay`, and `<APP_ID>-dlq-replay-<code>` for a replay of one error code.
 *
 * The offset of a partition of the dead-letter topic is where the next replay reads on. A reset, or a group whose offsets were put
 * back, makes the processor read the input once more, so that the same records become dead once more, at the end of the topic. The
 * copies that were replayed are in the input still, so these letters must not be replayed again; of their own offsets nobody could
 * tell. The metadata of the commit therefore names what has been passed of the input:
 *
 *     {"dlq":"<topic id>","input":"<topic id>","source":<offset>,"time":<ms>,"since":<ms>}
 *
 * A partition's letters are in the order of its input partition. So a letter is a repetition if its source stands at or below
 * `source`, and its record is no younger than `time`, the youngest one passed (in an input that was made again the records are
 * younger, and their offsets begin anew). An offset counts only in the topic whose id the metadata name.
 *
 * Kafka forgets a group's offsets a week after its last commit. A letter that was replayed is older than that commit; so where nothing
 * is committed, only letters older than a week may have been replayed before. A group that begins then knows nothing of these, for good:
 * `since` says from when on its letters are known.
 */
import type { ConsumerOffset, KafkaAdmin } from '../../ports/kafka.ts'
import { type Letter, partitionsOf } from './letters.ts'
import type { DeadLetterTopics } from './topics.ts'

/** How far a replay has got in one partition of the dead-letter topic. */
export interface ReplayMark {
  /** Letters below are done. */
  readonly offset: number
  /** The highest offset of the input among them; -1 for none. */
  readonly source: number
  /** The timestamp of the youngest record among them, in ms; -1 for none. */
  readonly time: number
  /** Of letters that were written before, in ms, nobody knows whether they were replayed before the group was forgotten. */
  readonly since: number
}

/** Kafka keeps a commit at least this long (`offsets.retention.minutes`), less an hour for clocks that differ. */
const surelyKeptMs = (7 * 24 - 1) * 3_600_000

/** From when on letters are known although nothing is committed. `now` in ms since the epoch. */
export function knownSince(now: number): number {
  return now - surelyKeptMs
}

export function replayGroup(appId: string, code: string | null): string {
  return code === null ? `${appId}-dlq-replay` : `${appId}-dlq-replay-${code}`
}

/** The same for plain replays and those of one code, so that only one runs at a time. */
export function replayTransactionalId(appId: string): string {
  return `${appId}-dlq-replay`
}

/** The mark behind a letter of our input that is done, and behind everything before it. */
export function markAfter(mark: ReplayMark, letter: Letter): ReplayMark {
  const { origin, partition, offset } = letter
  if (origin === null || origin.partition !== partition) return { ...mark, offset: offset + 1 }
  return {
    ...mark,
    offset: offset + 1,
    source: Math.max(mark.source, origin.offset),
    time: Math.max(mark.time, origin.timestamp),
  }
}

/**
 * Whether a replay that has got so far has, by the place in the input, passed a letter of the same record. It may err where a record
 * became dead only when the input was read once more: then no replay has had a letter of it.
 */
export function isRepetition(mark: ReplayMark, letter: Letter): boolean {
  const { origin, partition } = letter
  if (origin === null || origin.partition !== partition) return false
  return origin.offset <= mark.source && origin.timestamp <= mark.time
}

interface Metadata {
  readonly dlq: string | null
  readonly input: string | null
  readonly source: number
  readonly time: number
  readonly since: number
}

/** What a replay commits for a partition. */
export function commitOf(topics: DeadLetterTopics, partition: number, mark: ReplayMark): ConsumerOffset {
  const { offset, ...rest } = mark
  const metadata: Metadata = {
    dlq: topics.dlq.topicId,
    input: topics.input?.topicId ?? null,
    ...rest,
  }
  return {
    partition: { topic: topics.dlq.name, partition },
    offset,
    metadata: JSON.stringify(metadata),
  }
}

/** What a commit says about the topics as they are now. `end`: of the partition in the dead-letter topic. */
export function markOf(committed: ConsumerOffset, topics: DeadLetterTopics, end: number): ReplayMark {
  const told = parseMetadata(committed.metadata)
  const isSameDlq = (told === null || told.dlq === topics.dlq.topicId) && committed.offset <= end
  const isSameInput = told !== null && told.input === (topics.input?.topicId ?? null)
  return {
    offset: isSameDlq ? committed.offset : 0,
    source: isSameInput ? told.source : -1,
    time: isSameInput ? told.time : -1,
    // Of a topic that was made since, everything is known.
    since: isSameDlq && told !== null ? told.since : 0,
  }
}

function parseMetadata(text: string): Metadata | null {
  try {
    const told: unknown = JSON.parse(text)
    if (told === null || typeof told !== 'object') return null
    const { dlq = null, input = null, source, time, since } = told as Partial<Metadata>
    return { dlq, input, source: Number(source ?? -1), time: Number(time ?? -1), since: Number(since ?? 0) }
  } catch {
    // Not ours: somebody has put the offset there by hand, and means it.
    return null
  }
}

/** How far the replays of one group have got, by partition; null where nothing is committed (any more). */
export async function marksOf(
  admin: KafkaAdmin,
  groupId: string,
  topics: DeadLetterTopics,
  ends: readonly number[],
): Promise<(ReplayMark | null)[]> {
  const { name, partitionCount } = topics.dlq
  const committed = await admin.committedOffsets(groupId, partitionsOf(name, partitionCount))
  return committed.map((one, partition) => (one === null ? null : markOf(one, topics, ends[partition] ?? 0)))
}
