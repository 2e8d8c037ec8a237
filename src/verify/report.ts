export interface Difference {
  readonly where: 'changelog' | 'table' | 'dead letters' | 'offsets'
  /** `count`, `first_seen`, `last_seen`, `rolling.<window>`, `partition`, ... */
  readonly what: string
  /** The key of the table; of a dead letter, `<input partition>:<offset>`. */
  readonly key: string
  readonly partition: number
  readonly expected: number | string | null
  readonly found: number | string | null
}

/**
 * equal        the changelog, the table and the dead letters hold exactly what the input gives
 * different    they do not
 * impossible   the input's start is gone, and what is found is more than the rest of the input gives: nobody can tell
 */
export type Verdict = 'equal' | 'different' | 'impossible'

export interface InputPartition {
  readonly partition: number
  /** Its first record that still exists. */
  readonly logStart: number
  /** Up to where a partition of the changelog has counted it; the furthest, where they differ. */
  readonly counted: number
  /** The group's committed offset, if there is one. */
  readonly committed: number | null
  readonly end: number
}

export interface VerifyReport {
  readonly verdict: Verdict
  readonly equal: boolean
  /** The first of them. */
  readonly differences: readonly Difference[]
  readonly differenceCount: number
  /** Keys compared. */
  readonly keys: number
  /** Records of the input up to the committed offsets. */
  readonly logins: { readonly valid: number; readonly invalid: number }
  /** Null where the dead-letter topic is off or its start is gone. */
  readonly deadLetters: { readonly expected: number; readonly found: number } | null
  readonly input: readonly InputPartition[]
  /** Partitions of the input whose first records are gone, though they may have been counted. */
  readonly startGone: readonly number[]
  /** Every valid login of the input is counted. */
  readonly caughtUp: boolean
  /** ISO 8601; null before the first event. */
  readonly streamTime: string | null
  /** Rows whose rolling counts are right as of their own time, but not as of the final stream time; only when caught up. */
  readonly staleRows: number
  /** What the reader of the report should know, in sentences. */
  readonly notes: readonly string[]
}
