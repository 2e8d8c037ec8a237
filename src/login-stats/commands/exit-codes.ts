/** What a command's exit code says. */
export const exitCodes = {
  ok: 0,
  /** Something failed: Kafka, the disk, the program. */
  fault: 1,
  /** The command line or the configuration is wrong; nothing was done. */
  usage: 2,
  /** `verify` found a difference. */
  different: 3,
  /** `verify` cannot tell: the input's start is gone, or nothing is counted yet. */
  impossible: 4,
} as const
