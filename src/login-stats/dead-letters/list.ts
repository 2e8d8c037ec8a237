import type { Clock } from '../../ports/clock.ts'
import type { KafkaClient } from '../../ports/kafka.ts'
import type { Config } from '../config/index.ts'
import { timeText } from '../domain/time-text.ts'
import { readProgress } from './known-progress.ts'
import { committedRanges, type Letter, type LetterRange, letterChunks } from './letters.ts'
import { decide, type KnownProgress, type ReplayDecision } from './replay-decision.ts'
import { deadLetterTopics } from './topics.ts'

export interface ListOptions {
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly config: Config
  readonly order: 'newest' | 'oldest'
  readonly limit: number
  /** Null: of all codes. */
  readonly code: string | null
  /** Only letters written at this time, in ms, or later. */
  readonly since: number
}

/** What becomes of a letter in a replay. */
export type LetterStatus = 'waiting' | 'replayed' | 'repeated' | 'truncated' | 'foreign'

/** A dead letter without its content, which may be personal. */
export interface LetterRow {
  readonly partition: number
  readonly offset: number
  readonly time: string
  /** Null, as the message and the source, where the record is no dead letter of this program. */
  readonly code: string | null
  readonly message: string | null
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number } | null
  /** Bytes of the record's key and value as they were; of what there is of them for a foreign one. */
  readonly size: number
  readonly status: LetterStatus
}

export interface CodeSummary {
  readonly code: string | null
  readonly count: number
  readonly oldest: string
  readonly newest: string
  readonly waiting: number
}

/** Offsets that are looked at first in each partition; doubled until enough is found. */
const firstWindow = 1000

/** The newest or oldest letters of all partitions, by time. Throws TOPIC_MISSING, CONFIG_INVALID, and what the Kafka port throws. */
export async function listLetters(options: ListOptions): Promise<LetterRow[]> {
  const { order, limit } = options
  const reader = await openReader(options)
  const found = new Map<number, LetterRow[]>()
  let open = reader.ranges
  for (let window = Math.max(firstWindow, limit); open.length > 0; window *= 2) {
    const windows = open.map((range) => windowOf(range, order, window))
    const rows = new Map<number, LetterRow[]>(open.map(({ partition }) => [partition, []]))
    await reader.each(windows, (row) => {
      const kept = rows.get(row.partition) ?? []
      if (order === 'newest' || kept.length < limit) kept.push(row)
      if (kept.length > limit) kept.shift()
    })
    for (const [partition, kept] of rows) found.set(partition, kept)
    open = open.filter((range, index) => {
      const isWhole = windows[index]?.from === range.from && windows[index]?.to === range.to
      return !isWhole && (rows.get(range.partition)?.length ?? 0) < limit
    })
  }
  const sign = order === 'newest' ? -1 : 1
  return [...found.values()]
    .flat()
    .sort((a, b) => sign * byTime(a, b))
    .slice(0, limit)
}

/** All letters by their code, the most frequent first. */
export async function summarizeLetters(options: ListOptions): Promise<CodeSummary[]> {
  const reader = await openReader(options)
  const byCode = new Map<string | null, CodeSummary>()
  await reader.each(reader.ranges, ({ code, time, status }) => {
    const before = byCode.get(code) ?? { code, count: 0, oldest: time, newest: time, waiting: 0 }
    byCode.set(code, {
      code,
      count: before.count + 1,
      oldest: time < before.oldest ? time : before.oldest,
      newest: time > before.newest ? time : before.newest,
      waiting: before.waiting + (status === 'waiting' ? 1 : 0),
    })
  })
  return [...byCode.values()].sort((a, b) => b.count - a.count)
}

interface Reader {
  readonly ranges: readonly LetterRange[]
  /** Tells the rows that were asked for, in the order of each partition. */
  each(ranges: readonly LetterRange[], onRow: (row: LetterRow) => void): Promise<void>
}

async function openReader({ kafka, clock, config, code, since }: ListOptions): Promise<Reader> {
  const topics = await deadLetterTopics(kafka.admin, config)
  const { name: topic, partitionCount } = topics.dlq
  const ranges = await committedRanges({ kafka, topic }, partitionCount)
  const ends = ranges.map(({ to }) => to)
  const progress = await readProgress({ kafka, clock }, topics, ends)
  return {
    ranges,
    async each(wanted, onRow) {
      for await (const { partition, letters } of letterChunks({ kafka, clock, topic }, wanted))
        for (const letter of letters) {
          if (letter.timestamp < since || (code !== null && letter.origin?.code !== code)) continue
          onRow(rowOf(letter, statusOf(letter, progress.of(partition), config.inputTopic)))
        }
    },
  }
}

function windowOf(
  { partition, from, to }: LetterRange,
  order: ListOptions['order'],
  size: number,
): LetterRange {
  return order === 'newest'
    ? { partition, from: Math.max(from, to - size), to }
    : { partition, from, to: Math.min(to, from + size) }
}

export function rowOf(letter: Letter, status: LetterStatus): LetterRow {
  const { partition, offset, timestamp, key, value, origin } = letter
  const valueSize = origin?.truncated ?? value?.length ?? 0
  return {
    partition,
    offset,
    time: timeText(timestamp),
    code: origin?.code ?? null,
    message: origin?.message ?? null,
    source:
      origin === null ? null : { topic: origin.topic, partition: origin.partition, offset: origin.offset },
    size: (key?.length ?? 0) + valueSize,
    status,
  }
}

const statusByDecision: Readonly<Record<ReplayDecision, LetterStatus>> = {
  replay: 'waiting',
  done: 'replayed',
  repeated: 'repeated',
  held: 'waiting',
  truncated: 'truncated',
  foreign: 'foreign',
  'other-code': 'waiting',
}

export function statusOf(letter: Letter, progress: KnownProgress, inputTopic: string): LetterStatus {
  const rules = { inputTopic, code: null, repeated: 'ask' as const }
  return statusByDecision[decide(letter, progress, rules)]
}

function byTime(a: LetterRow, b: LetterRow): number {
  return Date.parse(a.time) - Date.parse(b.time) || a.partition - b.partition || a.offset - b.offset
}
