/**
 * What `verify` reports; `login-stats verify --json` prints it as it stands. Fields may be added, none is renamed or removed.
 * Offsets are Kafka's, ends are exclusive, times are ISO 8601 in UTC.
 */

/** A place in a topic. */
export interface Place {
  readonly partition: number
  readonly offset: number
}

/** A part of one partition of the input, and how many valid logins of the key are in it. */
export interface InputRange {
  readonly partition: number
  readonly from: number
  /** Exclusive. */
  readonly to: number
  readonly expected: number
}

/**
 * Where a counter of the changelog has first parted from the recount: the last commit that still agrees, the first that does
 * not, and what of the input lies between them.
 */
export interface DifferenceRange {
  /** Of the changelog: offset of the last commit's meta record that agrees; null: nothing was counted yet. */
  readonly rightUntil: number | null
  /** Of the changelog: offset of the first record that does not agree; a commit's meta record, unless `isCommit` is false. */
  readonly wrongFrom: number
  /** False: the wrong value stands behind the last commit, in a record that no commit has written. */
  readonly isCommit: boolean
  /** Nothing is between the two. Otherwise compaction has removed commits between them, or there are too many to look at each. */
  readonly isExact: boolean
  /** What of the input has been counted between the two; empty: none, so the record itself is wrong. */
  readonly input: readonly InputRange[]
  /** Valid logins of the key in `input`. */
  readonly expected: number
  /** What the counter has gained. */
  readonly counted: number
}

export interface Difference {
  readonly where: 'changelog' | 'table' | 'dead letters' | 'offsets' | 'topics'
  /** `count`, `first_seen`, `last_seen`, `rolling.<window>`, `partition`, ... */
  readonly what: string
  /** The key of the table, or a hash of one that no login has, as it may be personal; of a dead letter, its place in the input, `<partition>:<offset>`; the name of a topic. */
  readonly key: string
  /** Where the key belongs; -1 for a whole topic. */
  readonly partition: number
  readonly expected: number | string | null
  readonly found: number | string | null
  /** The records, in the topic of `where`, that say what was found. None: there is no such record. */
  readonly records: readonly Place[]
  /** Only of counters of the changelog whose count, first_seen or last_seen differs; null where it cannot be told. */
  readonly range: DifferenceRange | null
}

/**
 * equal        the changelog, the table and the dead letters hold exactly what the input gives
 * different    they do not
 * impossible   the input that was counted is gone, in part or, where the topic was made again, as a whole: nobody can tell
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
  /** The last stable offset: up to here committed records may be read. */
  readonly end: number
  /** Offsets beyond `end` that belong to transactions which are still open, or wait behind one; nobody may read them yet. */
  readonly open: number
}

/** A topic that is not the one that was counted. */
export interface RecreatedTopic {
  readonly topic: string
  /** Its topic id when it was counted; null where nobody has noted it. */
  readonly was: string | null
  readonly is: string | null
}

export interface VerifyReport {
  readonly verdict: Verdict
  readonly equal: boolean
  /** The first of them. */
  readonly differences: readonly Difference[]
  readonly differenceCount: number
  /** How many differences of each kind, such as `table count`. */
  readonly differencesByKind: Readonly<Record<string, number>>
  /** Keys compared. */
  readonly keys: number
  /** Records of the input up to the committed offsets. */
  readonly logins: { readonly valid: number; readonly invalid: number }
  /** Null where the dead-letter topic is off or its start is gone. */
  readonly deadLetters: { readonly expected: number; readonly found: number } | null
  /** This and `logins`: with more than one pass, as the first one has found them. */
  readonly input: readonly InputPartition[]
  /** Partitions of the input whose first records are gone, though they may have been counted. */
  readonly startGone: readonly number[]
  /** Topics that were deleted and made again; then nothing else is compared. */
  readonly recreated: readonly RecreatedTopic[]
  /** Every valid login of the input is counted, but for those in open transactions (`input[].open`). */
  readonly caughtUp: boolean
  /**
   * Partitions of the repartition topic that were not counted to their ends: partial counts are under way there. Of the others all that is committed of the input was
   * compared, so that what was lost between the stages differs; of these only what the changelog says it has counted.
   */
  readonly underWay: readonly number[]
  /** ISO 8601; null before the first event. */
  readonly streamTime: string | null
  /** Rows whose rolling counts are right as of their own time, but not as of the final stream time; only when caught up. */
  readonly staleRows: number
  /** How often the input was read, each time for a part of the keys. */
  readonly passes: number
  /** What the reader of the report should know, in sentences. */
  readonly notes: readonly string[]
}
