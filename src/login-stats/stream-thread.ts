import type { Log } from '../ports/log.ts'
import { type EngineObserver, type MemberSlot, observers, SlotStores, Streams } from '../streams/index.ts'
import { bootId } from '../system/boot-id.ts'
import { systemClock } from '../system/clock.ts'
import { levelDatabaseOpener } from '../system/level-database.ts'
import { stateFiles } from '../system/state-files.ts'
import type { Config } from './config/index.ts'
import { logging } from './engine-log.ts'
import { kafkaOf } from './kafka-client.ts'
import { ThreadMetrics } from './metrics/thread-metrics.ts'
import { answer, type ThreadQuestion } from './thread-questions.ts'
import { topologyOf } from './topology.ts'

/** Every call of a transaction has a deadline below this. */
const transactionTimeoutMs = 10_000
/** What the tasks of a thread may hold that is not committed. */
const maxUncommittedBytes = 64 << 20

/** One stream thread: a member of the group with its own event loop and connections. */
export interface OpenStreamThread {
  readonly streams: Streams
  /** Answers with plain data. */
  answer(question: unknown): Promise<unknown>
  /** Closes the connections, after `streams.run` has ended. */
  close(): Promise<void>
}

export interface StreamThreadOptions {
  readonly config: Config
  /** From 0; its label in metrics. */
  readonly thread: number
  readonly slot: MemberSlot
  /** Where the process answers the other instances; null for nowhere. */
  readonly endpoint: string | null
}

/** What runs in one thread, ready to run. Throws CONFIG_INVALID, KAFKAJS_CHANGED. */
export async function openStreamThread(
  { config, thread, slot, endpoint }: StreamThreadOptions,
  log: Log,
  observer: EngineObserver = {},
): Promise<OpenStreamThread> {
  const metrics = new ThreadMetrics(
    thread,
    systemClock,
    config.rollingWindows.map(({ name }) => name),
  )
  const kafka = kafkaOf(config, log, `${config.appId}-${slot.instanceId}`)
  const streams = new Streams({
    topology: topologyOf(config, metrics),
    fingerprint: {
      DIMENSIONS: config.sources.dimensions.text,
      ROLLING_WINDOWS: config.sources.rollingWindows.text,
      ROLLING_PANES: String(config.rollingPanes),
    },
    topics: {
      replicationFactor: config.replicationFactor,
      minInsyncReplicas: config.minInsyncReplicas,
      keyedPartitions: config.statsPartitions,
    },
    tasks: {
      commitIntervalMs: config.commitIntervalMs,
      transactionTimeoutMs,
      transactionScope: config.transactionScope,
      maxStreamTimeLeadMs: config.maxClockSkewMs,
      streamTimeFollowsWallClock: config.rollingClock === 'wall',
      maxUncommittedBytes,
      offsetLost: config.offsetLost,
    },
    sessionTimeoutMs: config.sessionTimeoutMs,
    leaveGroupOnStop: config.leaveGroupOnStop,
    standbyReplicas: config.standbyReplicas,
    maxStallMs: config.maxStallMs,
    kafka,
    clock: systemClock,
    log,
    databases: levelDatabaseOpener,
    bootId: await bootId(),
    localState: new SlotStores(slot, stateFiles),
    endpoint,
    observer: observers([logging(log), metrics.observer, observer]),
  })
  return {
    streams,
    answer: (question) => answer(question as ThreadQuestion, { streams, metrics }),
    close: async () => {
      metrics.close()
      await kafka.close()
    },
  }
}
