/**
 * What Kafka before 4 does otherwise than the simulated broker, which is a 4.3. The port relies on none of it but the last: it never
 * uses an epoch that it was not given, and looks at no log start of a refused batch, nor at groups without members; nobody leaves for
 * another.
 */
export interface Release {
  /** A leader asks about a batch of another epoch than that of the open transaction; else its own log judges. */
  readonly asksAboutOtherEpochs: boolean
  /** A refused offset commit leaves no group behind. */
  readonly forgetsRefusedGroups: boolean
  /** Whoever was told to come back with an id, and leaves instead, makes the group rebalance. */
  readonly pendingLeaveRebalances: boolean
  /** Members that leave in one request are out at once; else a join that waits may be answered between one and the next. */
  readonly leavesAtOnce: boolean
  /** The last stable offset is where a batch begins, even if the log starts within that batch (KAFKA-17803). */
  readonly stableBeforeLogStart: boolean
  /**
   * A commit of offsets by a fenced epoch changes nothing. Before, while the newer epoch has offsets in its transaction, the
   * coordinator does not ask whose transaction it is: the group checks the member, the late offsets take the place of the newer ones,
   * and when the log refuses them, both are forgotten. The newer transaction commits, and its offsets do not count until the
   * coordinator reads its log again. The port depends on this where a member of the same generation has begun anew while an offset
   * commit of its former producer is still on its way.
   */
  readonly keepsOffsetsFromLateCommits: boolean
}

/** `version`: as in `3.9.1`; undefined: the one that tests take by default. */
export function releaseOf(version: string | undefined): Release {
  const isNew = version === undefined || Number(version.split('.')[0]) >= 4
  return {
    asksAboutOtherEpochs: isNew,
    forgetsRefusedGroups: isNew,
    pendingLeaveRebalances: isNew,
    leavesAtOnce: isNew,
    stableBeforeLogStart: isNew,
    keepsOffsetsFromLateCommits: isNew,
  }
}
