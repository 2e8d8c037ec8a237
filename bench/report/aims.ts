/** What is aimed at, as ratios within one run. */
import { spreadOf } from '../measure/statistics.ts'
import type { SystemName } from '../systems/system.ts'
import { type Results, valuesOf } from './results.ts'

export interface Aim {
  readonly row: string
  readonly metric: string
  readonly what: string
  readonly rival: SystemName
  /** How many times better than the rival. Null: only reported. */
  readonly factor: number | null
  readonly better: 'higher' | 'lower'
}

export interface Outcome {
  readonly ours: number
  readonly theirs: number
  /** How many times better ours is. */
  readonly ratio: number
  readonly isMet: boolean | null
}

const throughput = { metric: 'loginsPerSecond', better: 'higher' } as const
const backlogs: readonly [row: string, what: string][] = [
  ['snappy', 'input compressed by snappy'],
  ['zstd', 'input compressed by zstd'],
]

export const aims: readonly Aim[] = [
  { row: 'counts', ...throughput, what: 'counts of a backlog', rival: 'kafka-streams', factor: 10 },
  { row: 'counts', ...throughput, what: 'counts of a backlog', rival: 'flink', factor: 5 },
  { row: 'counts', ...throughput, what: 'counts of a backlog', rival: 'scan', factor: 0.7 },
  { row: 'counts', ...throughput, what: 'counts of a backlog', rival: 'kafkajs', factor: null },
  { row: 'enriched', ...throughput, what: 'with the enriched topic', rival: 'kafka-streams', factor: 4 },
  ...backlogs.flatMap(([row, what]) =>
    (['kafka-streams', 'flink', 'scan'] as const).map(
      (rival): Aim => ({ row, ...throughput, what, rival, factor: null }),
    ),
  ),
  { row: 'million-keys', ...throughput, what: 'one million keys', rival: 'kafka-streams', factor: 3 },
  { row: 'million-keys', ...throughput, what: 'one million keys', rival: 'flink', factor: null },
  ...(['p50Ms', 'p99Ms'] as const).map(
    (metric): Aim => ({
      ...{ row: 'latency', metric, what: `latency, ${metric.slice(0, 3)}` },
      ...{ rival: 'kafka-streams', factor: 3, better: 'lower' },
    }),
  ),
  {
    ...{ row: 'restore', metric: 'keysPerSecond', what: 'restore of one million keys' },
    ...{ rival: 'kafka-streams', factor: 2, better: 'higher' },
  },
  {
    ...{ row: 'start', metric: 'firstCommitSeconds', what: 'start to first commit' },
    ...{ rival: 'kafka-streams', factor: 2, better: 'lower' },
  },
  {
    ...{ row: 'restart', metric: 'nextCommitSeconds', what: 'restart after kill -9 to the next commit' },
    ...{ rival: 'kafka-streams', factor: 2, better: 'lower' },
  },
  {
    ...{ row: 'counts', metric: 'peakRssMB', what: 'peak memory in the first row' },
    ...{ rival: 'kafka-streams', factor: 4, better: 'lower' },
  },
]

/** Of the medians; null where one of the two was not measured. */
export function outcomeOf(results: Results, { row, metric, rival, factor, better }: Aim): Outcome | null {
  const ours = spreadOf(valuesOf(results, row, 'login-stats', metric))?.median
  const theirs = spreadOf(valuesOf(results, row, rival, metric))?.median
  if (ours === undefined || theirs === undefined) return null
  const ratio = better === 'higher' ? ours / theirs : theirs / ours
  return { ours, theirs, ratio, isMet: factor === null ? null : ratio >= factor }
}
