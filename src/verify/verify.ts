/**
 * Counts the input again, with nothing of the processor's own code, and compares.
 *
 *  1. Read the table to its end.
 *  2. Read the changelog to its end: its last meta records say up to where the input is counted. This is the cut.
 *  3. Read what came to the table since. The changelog's value of a key is now among the key's rows: each transaction writes
 *     both, those of step 1 are in the changelog of step 2, and those in the changelog of step 2 are in the table of step 3.
 *  4. Read the group's committed offsets, and then the dead letters.
 *  5. Stream the input up to the cut, and recount each key as far as its partition of the changelog has counted.
 *  6. Compare.
 *
 * To read to the end is to note the end of the log, to wait until no transaction below it is open, and to read up to it.
 * So the result is exact under load too.
 */
import { CodedError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import { type ChangelogPartition, emptyChangelogPartition, foldChangelog } from './changelog.ts'
import { compare, comparedTimes } from './compare.ts'
import { DeadLetters } from './dead-letters.ts'
import { type KafkaConnection, type KafkaReader, openReader } from './kafka-connection.ts'
import { partitionOf } from './partitioner.ts'
import { readRange } from './read-committed.ts'
import type { KafkaRecord } from './record-batch.ts'
import { type Recount, type RecountRules, startRecount } from './recount.ts'
import type { Difference, InputPartition, VerifyReport } from './report.ts'
import { Table } from './table.ts'

export type VerifyPhase = 'table' | 'changelog' | 'dead letters' | 'input'

export interface VerifyOptions {
  readonly connection: KafkaConnection
  /** The consumer group, and the prefix of the changelog's name. */
  readonly appId: string
  readonly inputTopic: string
  readonly outputTopic: string
  /** Null or absent: dead letters are not looked at. */
  readonly dlqTopic?: string | null
  readonly rules: RecountRules
  /** The settings that the state must have been made with; not compared where absent. */
  readonly fingerprint?: Readonly<Record<string, string>>
  readonly clock: Clock
  /** Offsets read and to be read of a phase; called often. */
  readonly onProgress?: (phase: VerifyPhase, done: number, total: number) => void
}

const mostDifferences = 1000
const progressEvery = 1000
const settleTimeoutMs = 60_000
const settlePollMs = 50
/** A tail of the input up to this length is read beyond the committed offsets, to see whether logins are in it. */
const shortTail = 1000

/** Throws CodedErrors of Kafka; TOPIC_MISSING; FINGERPRINT_MISMATCH; FORMAT_TOO_NEW. Differences are no error. */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const reader = await openReader(options.connection, options.clock)
  try {
    return await new Verification(options, reader).run()
  } finally {
    await reader.close()
  }
}

class Verification {
  readonly #options: VerifyOptions
  readonly #reader: KafkaReader
  readonly #notes: string[] = []

  constructor(options: VerifyOptions, reader: KafkaReader) {
    this.#options = options
    this.#reader = reader
  }

  async run(): Promise<VerifyReport> {
    const { outputTopic, rules } = this.#options
    const table = new Table()
    const readTable = (from: readonly number[]) =>
      this.#readTopic('table', outputTopic, from, (record, partition) => table.add(record, partition))
    const firstEnds = await readTable([])
    table.mark()
    const changelog = await this.#readChangelog()
    await readTable(firstEnds)

    const input = await this.#inputPartitions(changelog)
    const deadLetters = await this.#readDeadLetters(input)
    const { recount, uncounted } = await this.#recount(changelog, table, input, deadLetters)
    deadLetters?.finish()

    const caughtUp = uncounted === 0
    const compared = compare({ recount, changelog, table, rules, caughtUp })
    const others = [...table.fallen, ...offsetDifferences(input), ...(deadLetters?.differences ?? [])]
    const differences = [...compared.differences, ...others]
    const startGone = input
      .filter(({ logStart, counted }) => logStart > 0 && counted > 0)
      .map(({ partition }) => partition)
    const isExplained = startGone.length > 0 && compared.explainable === differences.length
    const streamTimes = changelog.flatMap(({ streamTime }) => streamTime ?? [])
    const equal = differences.length === 0
    return {
      verdict: equal ? 'equal' : isExplained ? 'impossible' : 'different',
      equal,
      differences: differences.slice(0, mostDifferences),
      differenceCount: differences.length,
      keys: compared.keys,
      logins: { valid: recount.valid, invalid: recount.invalid },
      deadLetters: deadLetters && { expected: deadLetters.expected, found: deadLetters.found },
      input,
      startGone,
      caughtUp,
      streamTime: streamTimes.length === 0 ? null : new Date(Math.max(...streamTimes)).toISOString(),
      staleRows: compared.staleRows,
      notes: this.#notes,
    }
  }

  async #readChangelog(): Promise<ChangelogPartition[]> {
    const { appId, inputTopic, fingerprint } = this.#options
    const topic = `${appId}-counts-changelog`
    const count = (await this.#reader.partitionCount(topic)) ?? 0
    if (count === 0)
      throw new CodedError('TOPIC_MISSING', {
        operation: 'look for the changelog',
        topic,
        hint: 'Nothing has been counted under this APP_ID yet.',
      })
    const partitions = Array.from({ length: count }, emptyChangelogPartition)
    await this.#readTopic('changelog', topic, [], (record, partition) => {
      const state = partitions[partition]
      if (state !== undefined) foldChangelog(state, record, inputTopic)
    })
    for (const { fingerprint: stored, counted } of partitions)
      if (fingerprint !== undefined && counted.size > 0) checkFingerprint(fingerprint, stored)
    return partitions
  }

  /** Reads a topic to its end; returns the ends. */
  async #readTopic(
    phase: VerifyPhase,
    topic: string,
    from: readonly number[],
    onRecord: (record: KafkaRecord, partition: number) => void,
  ): Promise<number[]> {
    const starts = await this.#reader.offsets(topic, 'earliest')
    const ends = await this.#settledEnds(topic)
    const ranges = ends.map((to, partition) => {
      const start = Math.max(starts[partition] ?? 0, from[partition] ?? 0)
      return { topic, partition, from: start, to }
    })
    const progress = this.#progress(phase, ranges)
    for (const range of ranges)
      await readRange(this.#reader, range, (record) => {
        onRecord(record, range.partition)
        progress(range.partition, record.offset)
      })
    return ends
  }

  async #settledEnds(topic: string): Promise<number[]> {
    const { clock } = this.#options
    const ends = await this.#reader.offsets(topic, 'highWatermark')
    const deadline = clock.monotonic() + settleTimeoutMs
    for (;;) {
      const stable = await this.#reader.offsets(topic, 'lastStable')
      if (ends.every((end, partition) => (stable[partition] ?? 0) >= end)) return ends
      if (clock.monotonic() > deadline)
        throw new CodedError('KAFKA_RETRIABLE', {
          operation: 'wait for the end of open transactions',
          topic,
          detail: `A transaction has been open for ${settleTimeoutMs / 1000} s.`,
        })
      await clock.sleep(settlePollMs)
    }
  }

  /** Where the input is, and how far it is counted and committed. */
  async #inputPartitions(changelog: readonly ChangelogPartition[]): Promise<InputPartition[]> {
    const { appId, inputTopic } = this.#options
    const starts = await this.#reader.offsets(inputTopic, 'earliest')
    const ends = await this.#reader.offsets(inputTopic, 'lastStable')
    const countedMost = ends.map((_, partition) => countedBy(changelog, partition, Math.max))
    // The changelog's transaction can be visible before the group's offsets are.
    const deadline = this.#options.clock.monotonic() + settleTimeoutMs / 4
    let committed = await this.#reader.committedOffsets(appId, inputTopic)
    while (
      committed.some((offset, partition) => offset !== null && offset < (countedMost[partition] ?? 0)) &&
      this.#options.clock.monotonic() < deadline
    ) {
      await this.#options.clock.sleep(settlePollMs)
      committed = await this.#reader.committedOffsets(appId, inputTopic)
    }
    if (committed.every((offset) => offset === null))
      this.#notes.push(`The group ${appId} has no committed offsets for ${inputTopic}.`)
    return ends.map((end, partition) => ({
      partition,
      logStart: starts[partition] ?? 0,
      counted: countedMost[partition] ?? 0,
      committed: committed[partition] ?? null,
      end,
    }))
  }

  async #readDeadLetters(input: readonly InputPartition[]): Promise<DeadLetters | null> {
    const { dlqTopic, inputTopic } = this.#options
    if (dlqTopic === undefined || dlqTopic === null) return null
    if ((await this.#reader.partitionCount(dlqTopic)) === null) {
      this.#notes.push(`The dead-letter topic ${dlqTopic} does not exist; dead letters were not compared.`)
      return null
    }
    const starts = await this.#reader.offsets(dlqTopic, 'earliest')
    if (starts.some((start) => start > 0)) {
      this.#notes.push(`The start of ${dlqTopic} is gone; dead letters were not compared.`)
      return null
    }
    const deadLetters = new DeadLetters(
      inputTopic,
      input.map(({ logStart }) => logStart),
      input.map(({ committed }) => committed ?? 0),
    )
    await this.#readTopic('dead letters', dlqTopic, [], (record, partition) =>
      deadLetters.add(record, partition),
    )
    return deadLetters
  }

  async #recount(
    changelog: readonly ChangelogPartition[],
    table: Table,
    input: readonly InputPartition[],
    deadLetters: DeadLetters | null,
  ): Promise<{ recount: Recount; uncounted: number }> {
    const { rules, inputTopic } = this.#options
    const { recount, add } = startRecount({
      rules,
      timesOf: comparedTimes(changelog, table),
      counts: countedKeys(changelog),
      onInvalid: (record, partition) => deadLetters?.addInvalid(record, partition),
    })
    // Keeps nothing: it only tells valid logins, in the tail that is beyond what is committed.
    const tail = startRecount({ rules, timesOf: () => [], counts: () => false })
    const ranges = input.map(({ partition, logStart: from, counted, committed, end }) => ({
      topic: inputTopic,
      partition,
      from,
      to: Math.min(end, Math.max(counted, committed ?? 0)),
    }))
    const progress = this.#progress('input', ranges)
    let uncounted = 0
    for (const range of ranges) {
      const { partition, to } = range
      const countedByAll = countedBy(changelog, partition, Math.min)
      await readRange(this.#reader, range, (record) => {
        const validBefore = recount.valid
        add(record, partition)
        if (record.offset >= countedByAll) uncounted += recount.valid - validBefore
        progress(partition, record.offset)
      })
      const end = input[partition]?.end ?? to
      if (end - to > shortTail) uncounted += end - to
      else
        await readRange(this.#reader, { ...range, from: to, to: end }, (record) =>
          tail.add(record, partition),
        )
    }
    return { recount, uncounted: uncounted + tail.recount.valid }
  }

  #progress(
    phase: VerifyPhase,
    ranges: readonly { readonly from: number; readonly to: number }[],
  ): (partition: number, offset: number) => void {
    const lengths = ranges.map(({ from, to }) => Math.max(0, to - from))
    const total = lengths.reduce((sum, length) => sum + length, 0)
    const before = lengths.map((_, index) => lengths.slice(0, index).reduce((sum, length) => sum + length, 0))
    const { onProgress } = this.#options
    return (partition, offset) => {
      const done = (before[partition] ?? 0) + offset + 1 - (ranges[partition]?.from ?? 0)
      if (done % progressEvery === 0 || done === total) onProgress?.(phase, done, total)
    }
  }
}

/** The least or the most that any partition of the changelog has counted of a partition of the input. */
function countedBy(
  changelog: readonly ChangelogPartition[],
  inputPartition: number,
  pick: (...values: number[]) => number,
): number {
  return pick(...changelog.map(({ counted }) => counted.get(inputPartition) ?? 0))
}

/** A key belongs to one partition of the changelog, and counts as far as that one has counted. */
function countedKeys(changelog: readonly ChangelogPartition[]) {
  const countedOf = new Map<string, ReadonlyMap<number, number>>()
  return (key: string, partition: number, offset: number): boolean => {
    let counted = countedOf.get(key)
    if (counted === undefined) {
      counted = changelog[partitionOf(Buffer.from(key), changelog.length)]?.counted ?? new Map()
      countedOf.set(key, counted)
    }
    return offset < (counted.get(partition) ?? 0)
  }
}

function offsetDifferences(input: readonly InputPartition[]): Difference[] {
  const differences: Difference[] = []
  for (const { partition, counted, committed, end } of input) {
    const at = { where: 'offsets', key: `${partition}`, partition, found: counted } as const
    if (committed !== null && counted > committed)
      differences.push({ ...at, what: 'counted beyond the committed offset', expected: committed })
    if (counted > end) differences.push({ ...at, what: 'counted beyond the end of the input', expected: end })
  }
  return differences
}

function checkFingerprint(
  expected: Readonly<Record<string, string>>,
  stored: Readonly<Record<string, string>>,
): void {
  const differing = Object.keys(expected).filter((name) => expected[name] !== stored[name])
  if (differing.length === 0) return
  const each = differing.map(
    (name) => `${name} is ${expected[name] ?? 'not set'}, was ${stored[name] ?? 'not set'}`,
  )
  throw new CodedError('FINGERPRINT_MISMATCH', {
    operation: 'verify',
    detail: `${each.join('; ')}.`,
  })
}
