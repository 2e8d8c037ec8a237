import type { Dimension } from './domain/dimensions.ts'
import type { EnrichedIp } from './domain/ip-masking.ts'
import type { Windows } from './domain/windows.ts'

/** What the topology and its processors depend on. */
export interface LoginStatsSettings {
  readonly appId: string
  readonly inputTopic: string
  readonly outputTopic: string
  /** Null: off. */
  readonly dlqTopic: string | null
  readonly enrichedTopic: string | null
  /** What stands for the addresses in enriched records. */
  readonly enrichedIp: EnrichedIp
  readonly dimensions: readonly Dimension[]
  readonly windows: Windows
  readonly maxClockSkewMs: number
}

/** Names of sinks, as the processors know them. */
export const sinks = {
  partialCounts: 'partial-counts',
  deadLetters: 'dead-letters',
  enriched: 'enriched',
  table: 'table',
} as const
