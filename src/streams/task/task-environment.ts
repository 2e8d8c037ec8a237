import type { Clock } from '../../ports/clock.ts'
import type { DatabaseOpener } from '../../ports/database.ts'
import type { Fetcher, GroupMember, KafkaClient, TopicPartition } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import type { EngineObserver } from '../runtime/engine-observer.ts'
import type { TopicCatalog } from '../runtime/topic-catalog.ts'
import type { CacheBudget } from '../store/cache-budget.ts'
import type { Topology } from '../topology/topology.ts'
import type { TransactionScope, Transactions } from '../transactions/transactions.ts'

/** What to do about a partition that was counted before and has no committed offset. */
export type OffsetLostPolicy = 'stop' | 'earliest' | 'latest'

/** Limits and intervals of tasks. Times in ms, sizes in bytes. */
export interface TaskSettings {
  readonly commitIntervalMs: number
  readonly transactionTimeoutMs: number
  /** Who commits in one transaction: a task alone, or all tasks of a thread. */
  readonly transactionScope: TransactionScope
  /** How far stream time may be ahead of the wall clock. */
  readonly maxStreamTimeLeadMs: number
  /** Whether stream time also follows the wall clock, less `maxStreamTimeLeadMs`. */
  readonly streamTimeFollowsWallClock: boolean
  /** Of all tasks of a thread. One that holds its share commits at once, and takes no more while a commit is under way. */
  readonly maxUncommittedBytes: number
  readonly offsetLost: OffsetLostPolicy
}

/** What the tasks of one stream thread share. */
export interface TaskEnvironment {
  readonly topology: Topology
  readonly kafka: KafkaClient
  readonly member: GroupMember
  readonly inputs: Fetcher
  readonly transactions: Transactions
  readonly clock: Clock
  readonly log: Log
  readonly databases: DatabaseOpener
  /** Of all stores, standby ones too. */
  readonly cacheBudget: CacheBudget
  readonly bootId: string
  /** So long a restore waits for a transaction that nobody ends. */
  readonly maxStallMs: number
  readonly clusterId: string
  /** Where the task's store lives. */
  storeDirectory(taskId: string): string
  readonly catalog: TopicCatalog
  /** Brings the catalog up to date; true if a topic has got more partitions. */
  refreshTopics(): Promise<boolean>
  /**
   * Up to which offset (exclusive) any store has counted an input partition, by the changelogs' meta records; null if never. A
   * lower bound as of the start, unless it must be sure: then also what waits to be counted.
   */
  countedBefore(input: TopicPartition, options: { isSure: boolean }): Promise<number | null>
  readonly fingerprint: Readonly<Record<string, string>>
  readonly settings: TaskSettings
  readonly observer: EngineObserver
}
