import { connectKafka } from '../kafka/index.ts'
import type { Log } from '../ports/log.ts'
import { type EngineObserver, StateDirectory, Streams, type Topology } from '../streams/index.ts'
import { bootId } from '../system/boot-id.ts'
import { systemClock } from '../system/clock.ts'
import { levelDatabaseOpener } from '../system/level-database.ts'
import { systemRandom } from '../system/random.ts'
import { stateFiles } from '../system/state-files.ts'
import { type Config, kafkaSecurity } from './config/index.ts'
import { parseDimensions } from './domain/dimensions.ts'
import { splitWindows } from './domain/windows.ts'
import { loginStatsTopology } from './topology.ts'

/** Every call of a transaction has a deadline below this. */
const transactionTimeoutMs = 10_000
/** A task commits at once when it holds so many bytes that are not committed. */
const maxUncommittedBytes = 16 << 20

/** The application's topology under a configuration. */
export function topologyOf(config: Config): Topology {
  return loginStatsTopology({
    appId: config.appId,
    inputTopic: config.inputTopic,
    outputTopic: config.outputTopic,
    dlqTopic: config.dlqTopic,
    enrichedTopic: config.enrichedTopic,
    dimensions: parseDimensions(config.sources.dimensions.text),
    windows: splitWindows(config.rollingWindows, config.rollingPanes),
    maxClockSkewMs: config.maxClockSkewMs,
  })
}

/** The Kafka client of a configuration. */
export function kafkaOf(config: Config, log: Log, clientId: string): ReturnType<typeof connectKafka> {
  return connectKafka({
    bootstrapServers: config.brokers,
    clientId,
    ...kafkaSecurity(config),
    clock: systemClock,
    random: systemRandom,
    log,
    compression: config.compression,
  })
}

export interface Processor {
  readonly streams: Streams
  /** Closes connections and gives the slot of the state directory back; after `streams.run` has ended. */
  close(): Promise<void>
}

/**
 * The processor of a configuration, ready to run. Claims a slot of the state directory. Throws STATE_DIR_UNUSABLE,
 * CONFIG_INVALID, KAFKAJS_CHANGED.
 */
export async function openProcessor(
  config: Config,
  log: Log,
  observer: EngineObserver = {},
): Promise<Processor> {
  const topology = topologyOf(config)
  const localState = await StateDirectory.claim({
    stateDir: config.stateDir,
    appId: config.appId,
    opener: levelDatabaseOpener,
    files: stateFiles,
    random: systemRandom,
  })
  const kafka = kafkaOf(config, log, `${config.appId}-${localState.slot}`)
  const streams = new Streams({
    topology,
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
      maxStreamTimeLeadMs: config.maxClockSkewMs,
      streamTimeFollowsWallClock: config.rollingClock === 'wall',
      maxUncommittedBytes,
      offsetLost: config.offsetLost,
    },
    sessionTimeoutMs: config.sessionTimeoutMs,
    leaveGroupOnStop: config.leaveGroupOnStop,
    maxStallMs: config.maxStallMs,
    kafka,
    clock: systemClock,
    log,
    databases: levelDatabaseOpener,
    bootId: await bootId(),
    localState,
    observer,
  })
  return {
    streams,
    close: async () => {
      await kafka.close()
      await localState.release()
    },
  }
}
