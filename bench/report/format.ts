/** Figures as a reader wants them, by the unit in the name of their metric. */
import type { Spread } from '../measure/statistics.ts'

interface Kind {
  readonly label: string
  readonly format: (value: number) => string
}

const thousands = (value: number): string => `${shortNumber(value / 1000)} k`
const seconds = (value: number): string => `${shortNumber(value)} s`
const milliseconds = (value: number): string => `${Math.round(value)} ms`
const whole = (value: number): string => Math.round(value).toLocaleString('en')

const kinds: Readonly<Record<string, Kind>> = {
  loginsPerSecond: { label: 'logins/s', format: thousands },
  recordsPerSecond: { label: 'records/s', format: thousands },
  keysPerSecond: { label: 'keys/s', format: thousands },
  backlogP50Ms: { label: 'p50 beside the backlog', format: milliseconds },
  backlogP99Ms: { label: 'p99 beside the backlog', format: milliseconds },
  backlogCommitsPerSecond: { label: 'commits/s in the backlog', format: shortNumber },
  backlogLoginsPerCommit: { label: 'logins per commit in the backlog', format: whole },
  afterP50Ms: { label: 'p50 after', format: milliseconds },
  afterP99Ms: { label: 'p99 after', format: milliseconds },
  afterCommitsPerSecond: { label: 'commits/s after', format: shortNumber },
  afterLoginsPerCommit: { label: 'logins per commit after', format: shortNumber },
  peakRssMB: { label: 'peak memory', format: (value) => `${Math.round(value)} MB` },
  cpuSeconds: { label: 'CPU time', format: seconds },
  seconds: { label: 'time', format: seconds },
  firstRowSeconds: { label: 'first row after', format: seconds },
  restoreSeconds: { label: 'restore', format: seconds },
  countsAgainSeconds: { label: 'counts again after', format: seconds },
  firstCommitSeconds: { label: 'first commit after', format: seconds },
  nextCommitSeconds: { label: 'next commit after', format: seconds },
  allPartitionsSeconds: { label: 'every partition after', format: seconds },
  p50Ms: { label: 'p50', format: milliseconds },
  p95Ms: { label: 'p95', format: milliseconds },
  p99Ms: { label: 'p99', format: milliseconds },
  maxMs: { label: 'max', format: milliseconds },
  writeP99Ms: { label: 'write of a login, p99', format: milliseconds },
  restoredRecords: { label: 'records restored', format: whole },
  logins: { label: 'logins', format: whole },
  keys: { label: 'keys', format: whole },
  probes: { label: 'probes', format: whole },
}

export function labelOf(metric: string): string {
  return kinds[metric]?.label ?? metric
}

export function formatValue(metric: string, value: number): string {
  return (kinds[metric]?.format ?? shortNumber)(value)
}

/** The median, and the smallest and largest where there is more than one. */
export function formatSpread(metric: string, { median, min, max, runs }: Spread): string {
  const middle = formatValue(metric, median)
  return runs === 1 ? middle : `${middle} (${formatValue(metric, min)}-${formatValue(metric, max)})`
}

/** Three digits that count, e.g. 1,234, 12.3, 0.123. */
export function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  const fraction = Math.max(0, Math.min(3, 2 - digits))
  return value.toLocaleString('en', { minimumFractionDigits: fraction, maximumFractionDigits: fraction })
}
