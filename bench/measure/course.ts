/** What goes on during one measurement, as a plot shows it: a row of figures for each quarter of a second. */
import { quantile } from './statistics.ts'

/** What was seen; all times in ms on one clock. */
export interface Events {
  readonly startedAt: number
  readonly endedAt: number
  readonly backlog: number
  /** Logins of the backlog that became visible as counts. */
  readonly counted: readonly Counted[]
  readonly probes: readonly Probe[]
  readonly commits: readonly Commit[]
  readonly memory: readonly { readonly time: number; readonly bytes: number }[]
}

export interface Counted {
  readonly time: number
  readonly logins: number
}

/** A live login whose row is its own. */
export interface Probe {
  readonly sentAt: number
  readonly latencyMs: number
}

/** One transaction, and how many logins it has read. */
export interface Commit {
  readonly time: number
  readonly logins: number
}

/** A span of the course; null where nothing happened that would have the figure. */
export interface Moment {
  /** From the start of the measurement to the beginning of the span. */
  readonly seconds: number
  /** At the end of the span. */
  readonly backlogLeft: number
  /** Of the live logins that were sent in the span. */
  readonly p50Ms: number | null
  readonly maxMs: number | null
  readonly commitsPerSecond: number
  /** The mean. */
  readonly loginsPerCommit: number | null
  /** In logins. */
  readonly largestCommit: number | null
  /** The highest in the span. */
  readonly rssMB: number | null
}

export const spanMs = 250

export function courseOf(events: Events): Moment[] {
  const { startedAt, endedAt, backlog } = events
  // The last span is left out unless it is whole: its rates would be too low.
  const count = Math.floor((endedAt - startedAt) / spanMs)
  const spanOf = (time: number): number => Math.max(0, Math.floor((time - startedAt) / spanMs))
  const counted = grouped(events.counted, count, ({ time }) => spanOf(time))
  const probes = grouped(events.probes, count, ({ sentAt }) => spanOf(sentAt))
  const commits = grouped(events.commits, count, ({ time }) => spanOf(time))
  const memory = grouped(events.memory, count, ({ time }) => spanOf(time))
  let backlogLeft = backlog
  return Array.from({ length: count }, (_, span) => {
    backlogLeft -= sum(counted[span] ?? [])
    const latencies = (probes[span] ?? []).map(({ latencyMs }) => latencyMs)
    const resident = (memory[span] ?? []).map(({ bytes }) => bytes)
    return {
      seconds: (span * spanMs) / 1000,
      backlogLeft,
      p50Ms: rounded(quantile(latencies, 0.5)),
      maxMs: rounded(quantile(latencies, 1)),
      ...ratesOf(commits[span] ?? [], spanMs),
      largestCommit: rounded(
        quantile(
          (commits[span] ?? []).map(({ logins }) => logins),
          1,
        ),
      ),
      rssMB: rounded(quantile(resident, 1) / 1e6),
    }
  })
}

/** How often was committed in a time of so many ms, and how much each time. */
export function ratesOf(
  commits: readonly Commit[],
  durationMs: number,
): Pick<Moment, 'commitsPerSecond' | 'loginsPerCommit'> {
  return {
    commitsPerSecond: (commits.length * 1000) / durationMs,
    loginsPerCommit: rounded(sum(commits) / commits.length),
  }
}

export function sum(all: readonly { readonly logins: number }[]): number {
  return all.reduce((total, { logins }) => total + logins, 0)
}

function grouped<T>(all: readonly T[], count: number, groupOf: (one: T) => number): T[][] {
  const groups: T[][] = Array.from({ length: count }, () => [])
  for (const one of all) groups[groupOf(one)]?.push(one)
  return groups
}

/** To a tenth; null for what is no number. */
function rounded(value: number): number | null {
  return Number.isFinite(value) ? Math.round(value * 10) / 10 : null
}
