/**
 * One reading of everything, for a part of the keys, on a cut of its own:
 *
 *  1. Note what the group has committed of the repartition topic, and read the table to its end.
 *  2. Read the changelog to its end: its last meta records say up to where the input is counted. This is the cut. They must
 *     have come as far as what was committed in 1, and name the topics that are there.
 *  3. Read what came to the table since. The changelog's value of a key is now among the key's rows: each transaction writes
 *     both, those of step 1 are in the changelog of step 2, and those in the changelog of step 2 are in the table of step 3.
 *  4. Read the group's committed offsets, the ends of the input, which partials are under way between the stages (`between-stages.ts`),
 *     and then the dead letters.
 *  5. Stream the input up to the cut, and recount each key as far as its partition of the changelog has counted; where nothing is under
 *     way to that, as far as the input is committed.
 *  6. Compare, and find for what differs the part of the input where it arose.
 *
 * So the result is exact under load too.
 */
import { partitionsUnderWay } from './between-stages.ts'
import { Changelog } from './changelog.ts'
import { type Compared, compare } from './compare.ts'
import { DeadLetterReading } from './dead-letter-reading.ts'
import { Differences } from './differences.ts'
import { isInPass, Ledger } from './ledger.ts'
import { readLogin } from './login.ts'
import { batchesOf, type Range, readRange } from './read-committed.ts'
import { Recount } from './recount.ts'
import type { DifferenceRange, InputPartition, RecreatedTopic } from './report.ts'
import { Table } from './table.ts'
import type { TopicReading } from './topic-reading.ts'
import { checkFingerprint, recreatedTopics } from './topics.ts'
import { traceDifferences } from './trace.ts'
import type { VerifyOptions } from './verify.ts'

export interface PassOptions extends VerifyOptions {
  readonly reading: TopicReading
  readonly changelogPartitions: number
  /** This one, from 0, of so many. */
  readonly pass: number
  readonly passes: number
  readonly mostKeys: number
}

export interface PassResult extends Compared {
  readonly differences: Differences
  readonly recreated: readonly RecreatedTopic[]
  readonly logins: { readonly valid: number; readonly invalid: number }
  readonly deadLetters: { readonly expected: number; readonly found: number } | null
  readonly input: readonly InputPartition[]
  readonly caughtUp: boolean
  readonly underWay: readonly number[]
  /** Milliseconds; null before the first event. */
  readonly streamTime: number | null
  readonly notes: readonly string[]
}

/** A tail of the input up to this length is read beyond the committed offsets, to see whether logins are in it. */
const shortTail = 1000
/** Keys whose differences are looked into. */
const mostTraced = 100
const tracedKinds = ['count', 'first_seen', 'last_seen']
const settlePollMs = 50
const settleTimeoutMs = 15_000

/** Throws as `verify` does, and TooManyKeys. */
export function runPass(options: PassOptions): Promise<PassResult> {
  return new Pass(options).run()
}

class Pass {
  readonly #options: PassOptions
  readonly #differences = new Differences()
  readonly #notes: string[] = []
  readonly #ledger: Ledger
  readonly #table: Table
  readonly #changelog: Changelog
  readonly #changelogTopic: string
  readonly #repartitionTopic: string
  #changelogEnds: readonly number[] = []

  constructor(options: PassOptions) {
    const { rules, changelogPartitions, pass, passes, mostKeys, appId } = options
    this.#options = options
    this.#ledger = new Ledger({
      windowCount: rules.windows.length,
      partitionCount: changelogPartitions,
      mostKeys,
      ...(passes === 1 ? {} : { holds: (key) => isInPass(key, pass, passes) }),
    })
    this.#table = new Table(this.#ledger, rules, this.#differences)
    this.#changelog = new Changelog(this.#ledger)
    this.#changelogTopic = `${appId}-counts-changelog`
    this.#repartitionTopic = `${appId}-counts-repartition`
  }

  async run(): Promise<PassResult> {
    const { pass, fingerprint, rules, reading } = this.#options
    const recreated = await this.#readState()
    if (fingerprint !== undefined) checkFingerprint(fingerprint, this.#changelog)
    const streamTimes = this.#changelog.partitions.flatMap(({ streamTime }) => streamTime ?? [])
    const streamTime = streamTimes.length === 0 ? null : Math.max(...streamTimes)
    if (recreated.length > 0) return this.#nothingCompared(recreated, streamTime)

    const input = await this.#inputPartitions()
    const underWay = await partitionsUnderWay(reading, this.#repartitionTopic, this.#changelog)
    const letters = pass === 0 ? await this.#surveyDeadLetters(input) : null
    const { recount, uncounted } = await this.#recount(input, underWay, letters)
    const caughtUp = uncounted === 0
    const compared = compare({
      ...{ ledger: this.#ledger, changelog: this.#changelog, table: this.#table },
      ...{ rules, caughtUp, differences: this.#differences },
    })
    if (pass === 0) this.#compareOffsets(input)
    await this.#trace(input)
    this.#differences.hideForeignKeys(rules.dimensions)
    return {
      ...compared,
      differences: this.#differences,
      recreated,
      logins: { valid: recount.valid, invalid: recount.invalid },
      deadLetters: letters && { expected: letters.letters.expected, found: letters.letters.found },
      ...{ input, caughtUp, underWay: [...(underWay ?? [])], streamTime, notes: this.#notes },
    }
  }

  /** 1, 2 and 3. Returns the topics that are not those which were counted. */
  async #readState(): Promise<RecreatedTopic[]> {
    const { reading, outputTopic, rules } = this.#options
    const committed = await this.#committedRepartition()
    const readTable = (from: readonly number[]) =>
      reading.readToEnd('table', outputTopic, from, (record, partition) => this.#table.add(record, partition))
    const tableEnds = await readTable([])
    this.#changelogEnds = await reading.readToEnd(
      'changelog',
      this.#changelogTopic,
      [],
      (record, partition) => this.#changelog.add(record, partition),
    )
    const recreated = await recreatedTopics(
      ...([reading.reader, this.#changelogTopic, this.#changelog, committed, this.#differences] as const),
    )
    if (recreated.length > 0) return recreated
    this.#changelog.finish(rules)
    this.#table.mark()
    await readTable(tableEnds)
    return []
  }

  async #committedRepartition(): Promise<{ topic: string; offsets: (number | null)[] } | null> {
    const { reading, appId } = this.#options
    const topic = this.#repartitionTopic
    if ((await reading.reader.partitionCount(topic)) === null) return null
    return { topic, offsets: await reading.reader.committedOffsets(appId, topic) }
  }

  #nothingCompared(recreated: readonly RecreatedTopic[], streamTime: number | null): PassResult {
    const differences = new Differences()
    for (const { topic: key, was: expected, is: found } of recreated)
      differences.add({ where: 'topics', what: 'id', key, partition: -1, expected, found })
    return {
      ...{ keys: 0, staleRows: 0, differences, recreated },
      ...{ logins: { valid: 0, invalid: 0 }, deadLetters: null, input: [] },
      ...{ caughtUp: false, underWay: [], streamTime, notes: this.#notes },
    }
  }

  /** 4. Where the input is, and how far it is counted and committed. */
  async #inputPartitions(): Promise<InputPartition[]> {
    const { appId, inputTopic, reading } = this.#options
    const { reader, clock } = reading
    const starts = await reader.offsets(inputTopic, 'earliest')
    const counted = starts.map((_, partition) => this.#countedBy(partition))
    // The changelog's transaction can be visible before the group's offsets are.
    const deadline = clock.monotonic() + settleTimeoutMs
    let committed = await reader.committedOffsets(appId, inputTopic)
    const isBehind = (offset: number | null, partition: number) =>
      offset !== null && offset < (counted[partition] ?? 0)
    while (committed.some(isBehind) && clock.monotonic() < deadline) {
      await clock.sleep(settlePollMs)
      committed = await reader.committedOffsets(appId, inputTopic)
    }
    if (committed.every((offset) => offset === null))
      this.#notes.push(`The group ${appId} has no committed offsets for ${inputTopic}.`)
    // Only now, so that no offset was committed beyond these ends.
    const ends = await reader.offsets(inputTopic, 'lastStable')
    const highWatermarks = await reader.offsets(inputTopic, 'highWatermark')
    return starts.map((logStart, partition) => {
      const end = ends[partition] ?? 0
      return {
        ...{ partition, logStart, end },
        counted: counted[partition] ?? 0,
        committed: committed[partition] ?? null,
        open: Math.max(0, (highWatermarks[partition] ?? 0) - end),
      }
    })
  }

  /** The most that any partition of the changelog has counted of a partition of the input. */
  #countedBy(inputPartition: number): number {
    const { inputTopic } = this.#options
    const counted = this.#changelog.partitions.map((partition) => partition.counted(inputTopic))
    return Math.max(...counted.map((ends) => ends.get(inputPartition) ?? 0))
  }

  async #surveyDeadLetters(input: readonly InputPartition[]): Promise<DeadLetterReading | null> {
    const { dlqTopic, inputTopic, reading } = this.#options
    if (dlqTopic === undefined || dlqTopic === null) return null
    if ((await reading.reader.partitionCount(dlqTopic)) === null) {
      this.#notes.push(`The dead-letter topic ${dlqTopic} does not exist; dead letters were not compared.`)
      return null
    }
    const ranges = await reading.rangesOf(dlqTopic, [])
    if (ranges.some(({ from }) => from > 0)) {
      this.#notes.push(`The start of ${dlqTopic} is gone; dead letters were not compared.`)
      return null
    }
    const letters = new DeadLetterReading(reading, ranges, {
      ...{ inputTopic, input, differences: this.#differences },
    })
    await letters.survey()
    const { untold } = letters.letters
    if (untold > 0)
      this.#notes.push(`${untold} dead letters out of order were too many to be looked at one by one.`)
    return letters
  }

  /** 5. */
  async #recount(
    input: readonly InputPartition[],
    underWay: ReadonlySet<number> | null,
    letters: DeadLetterReading | null,
  ): Promise<{ recount: Recount; uncounted: number }> {
    const { rules, inputTopic, reading } = this.#options
    const recount = new Recount({
      ...{ rules, ledger: this.#ledger },
      streamTimes: this.#changelog.partitions.map(({ streamTime }) => streamTime ?? 0),
      counted: this.#changelog.partitions.map((partition, number) => {
        const counted = partition.counted(inputTopic)
        return underWay === null || underWay.has(number) ? counted : withAllCommitted(counted, input)
      }),
      onInvalid: (record, partition) => letters?.letters.addInvalid(record, partition),
    })
    const ranges = this.#countedRanges(input)
    const progress = reading.progress('input', ranges)
    let uncounted = 0
    for (const range of ranges) {
      const { partition, to } = range
      for await (const batch of batchesOf(reading.reader, range)) {
        await letters?.mergeUpTo(partition, batch.nextOffset)
        for (const record of batch.records) recount.add(record, partition)
        progress(range, batch)
      }
      await letters?.mergeUpTo(partition, Number.POSITIVE_INFINITY)
      uncounted += await this.#validIn({ ...range, from: to, to: input[partition]?.end ?? to })
    }
    letters?.letters.finish()
    return { recount, uncounted: uncounted + recount.uncounted }
  }

  /** What of the input has been counted or committed. */
  #countedRanges(input: readonly InputPartition[]): Range[] {
    return input.map(({ partition, logStart: from, counted, committed, end }) => ({
      ...{ topic: this.#options.inputTopic, partition, from },
      to: Math.min(end, Math.max(counted, committed ?? 0)),
    }))
  }

  /** Valid logins in a tail of the input; a long one is taken for full of them. */
  async #validIn(tail: Range): Promise<number> {
    if (tail.to - tail.from > shortTail) return tail.to - tail.from
    const { reading, rules } = this.#options
    let valid = 0
    await readRange(reading.reader, tail, (record) => {
      if (readLogin(record, rules) !== null) valid++
    })
    return valid
  }

  #compareOffsets(input: readonly InputPartition[]): void {
    const { inputTopic } = this.#options
    for (const { partition, counted, committed, end } of input) {
      const at = { where: 'offsets', key: inputTopic, partition, found: counted } as const
      if (committed !== null && counted > committed)
        this.#differences.add({ ...at, what: 'counted beyond the committed offset', expected: committed })
      if (counted > end)
        this.#differences.add({ ...at, what: 'counted beyond the end of the input', expected: end })
    }
  }

  /** 6. */
  async #trace(input: readonly InputPartition[]): Promise<void> {
    const keys = new Map<number, Set<string>>()
    let traced = 0
    for (const { where, what, key, partition } of this.#differences.first) {
      if (where !== 'changelog' || !tracedKinds.includes(what)) continue
      const ofPartition = keys.get(partition) ?? new Set<string>()
      if (ofPartition.has(key) || traced === mostTraced) continue
      keys.set(partition, ofPartition.add(key))
      traced++
    }
    // Where logins are gone, what they gave cannot be told from what is wrong.
    if (traced === 0 || input.some(({ logStart, counted }) => logStart > 0 && counted > 0)) return
    const { reading, rules, inputTopic } = this.#options
    const ranges: ReadonlyMap<string, DifferenceRange> = await traceDifferences({
      ...{ reading, rules, inputTopic, keys, input: this.#countedRanges(input) },
      ...{ changelogTopic: this.#changelogTopic, changelogEnds: this.#changelogEnds },
    })
    this.#differences.setRanges(
      ({ where, what, key }) =>
        (where === 'changelog' && tracedKinds.includes(what) ? ranges.get(key) : undefined) ?? null,
    )
  }
}

/** Up to where it must have counted the input if nothing is under way to it. */
function withAllCommitted(
  counted: ReadonlyMap<number, number>,
  input: readonly InputPartition[],
): ReadonlyMap<number, number> {
  return new Map(
    input.map(({ partition, committed }) => [
      partition,
      Math.max(counted.get(partition) ?? 0, committed ?? 0),
    ]),
  )
}
