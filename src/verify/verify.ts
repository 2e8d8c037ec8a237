/**
 * Counts the input again, with nothing of the processor's own code, and compares: `pass.ts` says how. Memory grows with the
 * number of keys (`ledger.ts`), so where there are too many, each of several passes looks at a part of them.
 */
import { CodedError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import { Differences } from './differences.ts'
import { type KafkaConnection, type KafkaReader, openReader } from './kafka-connection.ts'
import { TooManyKeys } from './ledger.ts'
import { type PassResult, runPass } from './pass.ts'
import type { RecountRules } from './recount.ts'
import type { VerifyReport } from './report.ts'
import { TopicReading, type VerifyPhase } from './topic-reading.ts'

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
  /** Passes over the input, each for a part of the keys; more are made where that part has more than `mostKeys`. 1 if absent. */
  readonly passes?: number
  /** Keys held at once. */
  readonly mostKeys?: number
  /** Offsets read and to be read of a phase; called often. */
  readonly onProgress?: (phase: VerifyPhase, done: number, total: number, pass: Pass) => void
}

/** Which pass, from 1, of how many. */
export interface Pass {
  readonly number: number
  readonly of: number
}

/** About 1 GB with four windows. */
const defaultMostKeys = 1_000_000

/** Throws CodedErrors of Kafka; TOPIC_MISSING; FINGERPRINT_MISMATCH; FORMAT_TOO_NEW; CORRUPT_BATCH. Differences are no error. */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const reader = await openReader(options.connection, options.clock)
  try {
    return await verifyBy(reader, options)
  } finally {
    await reader.close()
  }
}

async function verifyBy(reader: KafkaReader, options: VerifyOptions): Promise<VerifyReport> {
  for (let passes = options.passes ?? 1; ; passes *= 2) {
    try {
      return reportOf(await runPasses(reader, options, passes), options.inputTopic)
    } catch (error) {
      if (!(error instanceof TooManyKeys)) throw error
    }
  }
}

async function runPasses(reader: KafkaReader, options: VerifyOptions, passes: number): Promise<PassResult[]> {
  const { appId, clock, mostKeys = defaultMostKeys } = options
  const topic = `${appId}-counts-changelog`
  const changelogPartitions = (await reader.partitionCount(topic)) ?? 0
  if (changelogPartitions === 0)
    throw new CodedError('TOPIC_MISSING', {
      operation: 'look for the changelog',
      topic,
      hint: 'Nothing has been counted under this APP_ID yet.',
    })
  const results: PassResult[] = []
  for (let pass = 0; pass < passes; pass++) {
    const reading = new TopicReading(reader, clock, (phase, done, total) =>
      options.onProgress?.(phase, done, total, { number: pass + 1, of: passes }),
    )
    const result = await runPass({ ...options, reading, changelogPartitions, pass, passes, mostKeys })
    results.push(result)
    if (result.recreated.length > 0) break
  }
  return results
}

function reportOf(results: readonly PassResult[], inputTopic: string): VerifyReport {
  const [first] = results
  if (first === undefined) throw new RangeError('There was no pass')
  const differences = new Differences()
  for (const result of results) differences.addAll(result.differences)
  const recreated = results.flatMap((result) => result.recreated)
  const { input, logins, deadLetters, streamTime } = first
  const startGone = input
    .filter(({ logStart, counted }) => logStart > 0 && counted > 0)
    .map(({ partition }) => partition)
  const sum = (value: (result: PassResult) => number) =>
    results.reduce((total, result) => total + value(result), 0)
  const verdict = verdictOf(
    differences,
    startGone.length > 0,
    recreated.some(({ topic }) => topic === inputTopic),
  )
  return {
    verdict,
    equal: verdict === 'equal',
    differences: differences.first,
    differenceCount: differences.count,
    differencesByKind: differences.byKind,
    keys: sum(({ keys }) => keys),
    ...{ logins, deadLetters, input, startGone, recreated },
    caughtUp: results.every(({ caughtUp }) => caughtUp),
    underWay: [...new Set(results.flatMap(({ underWay }) => underWay))],
    streamTime: streamTime === null ? null : new Date(streamTime).toISOString(),
    staleRows: sum(({ staleRows }) => staleRows),
    passes: results.length,
    notes: [...new Set(results.flatMap(({ notes }) => notes))],
  }
}

function verdictOf(
  differences: Differences,
  isStartGone: boolean,
  isInputRecreated: boolean,
): VerifyReport['verdict'] {
  if (isInputRecreated) return 'impossible'
  if (differences.count === 0) return 'equal'
  return isStartGone && differences.explainable === differences.count ? 'impossible' : 'different'
}
