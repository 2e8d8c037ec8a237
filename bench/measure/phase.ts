/** The figures of one part of a course, for the table of results. */
import { type Events, ratesOf } from './course.ts'
import { quantile } from './statistics.ts'

export interface Phase {
  /** Stands before the names of the metrics, as in `backlogP50Ms`. */
  readonly name: 'backlog' | 'after'
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

/** By metric; those that nothing is known of are left out. */
export function valuesOfPhase(
  { probes, commits }: Pick<Events, 'probes' | 'commits'>,
  { name, from, to }: Phase,
): Record<string, number> {
  const isWithin = (time: number): boolean => time >= from && time < to
  const latencies = probes.filter(({ sentAt }) => isWithin(sentAt)).map(({ latencyMs }) => latencyMs)
  const within = commits.filter(({ time }) => isWithin(time))
  const { commitsPerSecond, loginsPerCommit } = ratesOf(within, to - from)
  const values = {
    [`${name}P50Ms`]: quantile(latencies, 0.5),
    [`${name}P99Ms`]: quantile(latencies, 0.99),
    [`${name}CommitsPerSecond`]: commitsPerSecond,
    [`${name}LoginsPerCommit`]: loginsPerCommit ?? Number.NaN,
  }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)))
}
