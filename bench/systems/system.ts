import type { CountRow } from '../measure/table-contents.ts'
import type { Launched } from './launched.ts'

/** What a system has to do. The topics exist. */
export interface Job {
  readonly bootstrapServers: string
  readonly inputTopic: string
  readonly outputTopic: string
  /** Null: off. */
  readonly enrichedTopic: string | null
  /** Consumer group and prefix of internal topics and transactional ids. */
  readonly appId: string
  readonly dimensions: readonly string[]
  /** As ROLLING_WINDOWS; null: the default. The peers have none. */
  readonly rollingWindows: string | null
  /** Threads, or parallelism; null: what the system has by default. */
  readonly threads: number | null
  /** For state; one for each instance. */
  readonly directory: string
  /** Static membership: who comes back under this name need not wait for the session time-out. */
  readonly instanceId: string
  /** How many logins the limits, which write no table, are to count. */
  readonly logins: number
}

export type SystemName = 'login-stats' | 'login-stats-task' | 'kafka-streams' | 'flink' | 'kafkajs' | 'scan'

export interface System {
  readonly name: SystemName
  readonly title: string
  /** Builds what is to be built. Returns what it is, with versions. Throws `SystemUnavailable`. */
  prepare(onProgress: (text: string) => void): Promise<string>
  launch(job: Job): Promise<Launched>
  /** How a row of its table reads; null for a limit, which says its counts in its last line instead. */
  readonly readRow: ((key: string, value: string) => CountRow | null) | null
  /** What its log says of a restore; null where it says nothing. */
  restoreOf?(launched: Launched): RestoreReport | null
}

export interface RestoreReport {
  readonly records: number
  /** From the beginning of the first task's restore to the end of the last one's. */
  readonly seconds: number
}

/** It cannot be built or run on this machine. */
export class SystemUnavailable extends Error {}
