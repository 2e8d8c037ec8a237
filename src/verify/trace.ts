/**
 * Where in the input a counter has parted from the recount, by a second reading for the keys that differ:
 *
 *  1. read the changelog: its commits are cuts through the input, with what the counters were at each;
 *  2. read the input: how many logins of each key lie between two cuts;
 *  3. for each key walk along the cuts: the first at which the counter is not the sum so far ends the range, the last before it
 *     at which it was begins it;
 *  4. where commits between the two were left out, look again, at these alone.
 */
import { type Cut, Cuts, type Published, type Window } from './cuts.ts'
import { readLogin } from './login.ts'
import { batchesOf, type Range } from './read-committed.ts'
import type { RecountRules } from './recount.ts'
import type { DifferenceRange, InputRange } from './report.ts'
import { Sums } from './sums.ts'
import type { TopicReading } from './topic-reading.ts'

export interface TraceOptions {
  readonly reading: TopicReading
  readonly rules: RecountRules
  readonly inputTopic: string
  readonly changelogTopic: string
  /** By partition of the changelog: the offset up to which it was compared. */
  readonly changelogEnds: readonly number[]
  /** What of the input was counted by anyone. */
  readonly input: readonly Range[]
  /** Keys, by the partition of the changelog they belong to. */
  readonly keys: ReadonlyMap<number, ReadonlySet<string>>
  /** Of one partition, kept in one look; fewer where keys are many. */
  readonly mostCuts?: number
}

const defaultMostCuts = 4096
/** Kept for all cuts and keys. */
const mostNumbers = 4_000_000
const mostLooks = 3
const everything: Window = { from: 0, to: Number.POSITIVE_INFINITY }

/** Ranges by key; none for a key of which nothing can be told. */
export async function traceDifferences(options: TraceOptions): Promise<Map<string, DifferenceRange>> {
  const ranges = new Map<string, DifferenceRange>()
  let open = new Map([...options.keys].map(([partition, keys]) => [partition, { keys, window: everything }]))
  for (let look = 1; look <= mostLooks && open.size > 0; look++) {
    const found = await lookOnce(options, open)
    const next = new Map<number, { keys: Set<string>; window: Window }>()
    for (const { key, partition, range, isThinned } of found) {
      ranges.set(key, range)
      if (!isThinned) continue
      const before = next.get(partition)
      const from = Math.min(range.rightUntil ?? 0, before?.window.from ?? Number.POSITIVE_INFINITY)
      const to = Math.max(range.wrongFrom, before?.window.to ?? 0)
      next.set(partition, { keys: new Set([...(before?.keys ?? []), key]), window: { from, to } })
    }
    open = next
  }
  return ranges
}

interface Found {
  readonly key: string
  readonly partition: number
  readonly range: DifferenceRange
  /** Commits between its ends were left out. */
  readonly isThinned: boolean
}

async function lookOnce(
  options: TraceOptions,
  open: ReadonlyMap<number, { readonly keys: ReadonlySet<string>; readonly window: Window }>,
): Promise<Found[]> {
  const inputPartitions = options.input.length
  const keyCount = [...open.values()].reduce((sum, { keys }) => sum + keys.size, 0)
  const { mostCuts = defaultMostCuts } = options
  const most = Math.max(2, Math.min(mostCuts, Math.floor(mostNumbers / (keyCount * (inputPartitions + 2)))))
  const cutsOf = new Map<number, readonly Cut[]>()
  const sumsOf = new Map<string, Sums>()
  // 1.
  for (const [partition, { keys, window }] of open) {
    const cuts = await readCuts(options, partition, keys, window, most)
    cutsOf.set(partition, cuts)
    for (const key of keys) sumsOf.set(key, new Sums(cuts, inputPartitions))
  }
  // 2.
  await readInput(options, sumsOf)
  // 3.
  const found: Found[] = []
  for (const [partition, { keys }] of open)
    for (const key of keys) {
      const sums = sumsOf.get(key)
      const parting = sums === undefined ? null : firstParting(key, cutsOf.get(partition) ?? [], sums)
      if (parting !== null) found.push({ key, partition, ...parting })
    }
  return found
}

async function readCuts(
  { reading, inputTopic, changelogTopic, changelogEnds }: TraceOptions,
  partition: number,
  keys: ReadonlySet<string>,
  window: Window,
  most: number,
): Promise<readonly Cut[]> {
  const [from = 0] = (await reading.reader.offsets(changelogTopic, 'earliest')).slice(partition)
  const range = { topic: changelogTopic, partition, from, to: changelogEnds[partition] ?? 0 }
  const cuts = new Cuts({ partition, inputTopic, keys, window, most, isStartGone: from > 0 })
  const progress = reading.progress('ranges', [range])
  for await (const batch of batchesOf(reading.reader, range)) {
    cuts.add(batch)
    progress(range, batch)
  }
  return cuts.finish()
}

async function readInput(
  { reading, rules, input }: TraceOptions,
  sumsOf: ReadonlyMap<string, Sums>,
): Promise<void> {
  const progress = reading.progress('ranges', input)
  for (const range of input)
    for await (const batch of batchesOf(reading.reader, range)) {
      for (const record of batch.records) {
        const login = readLogin(record, rules)
        for (const { key } of login?.rows ?? [])
          sumsOf.get(key)?.add(range.partition, record.offset, login?.eventTime ?? 0)
      }
      progress(range, batch)
    }
}

/** 3. The range in which the counter of a key has parted from its recount; null where it nowhere has, or nothing is known. */
export function firstParting(
  key: string,
  cuts: readonly Cut[],
  sums: Sums,
): { readonly range: DifferenceRange; readonly isThinned: boolean } | null {
  let right: { readonly cut: Cut | null; readonly at: number } = { cut: null, at: -1 }
  const total = { count: 0, firstSeen: Number.POSITIVE_INFINITY, lastSeen: Number.NEGATIVE_INFINITY }
  for (const [at, cut] of cuts.entries()) {
    const gained = sums.at(at)
    total.count += gained.count
    total.firstSeen = Math.min(total.firstSeen, gained.firstSeen)
    total.lastSeen = Math.max(total.lastSeen, gained.lastSeen)
    const published = cut.published.get(key)
    if (published === undefined) continue
    if (isSame(published, total)) {
      right = { cut, at }
      continue
    }
    const input = inputBetween(right.cut, cut, sums.between(right.at, at))
    const before = right.cut?.published.get(key)?.count ?? 0
    const isNext = cut.number === (right.cut?.number ?? -1) + 1
    return {
      range: {
        rightUntil: right.cut?.offset ?? null,
        wrongFrom: cut.behind.get(key) ?? cut.offset,
        isCommit: !cut.behind.has(key),
        isExact: isNext && cut.holes === (right.cut?.holes ?? 0),
        input,
        expected: input.reduce((sum, { expected }) => sum + expected, 0),
        counted: (published?.count ?? 0) - before,
      },
      isThinned: !isNext,
    }
  }
  return null
}

function isSame(published: Published | null, total: Published): boolean {
  if (published === null || total.count === 0) return (published?.count ?? 0) === total.count
  return (
    published.count === total.count &&
    published.firstSeen === total.firstSeen &&
    published.lastSeen === total.lastSeen
  )
}

function inputBetween(from: Cut | null, to: Cut, expected: readonly number[]): InputRange[] {
  return [...to.counted]
    .map(([partition, end]) => ({
      partition,
      from: from?.counted.get(partition) ?? 0,
      to: end,
      expected: expected[partition] ?? 0,
    }))
    .filter((range) => range.to > range.from)
    .sort((a, b) => a.partition - b.partition)
}
