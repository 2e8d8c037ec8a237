import { AggregateProcessor, type Topology, TopologyBuilder, timerIndex } from '../streams/index.ts'
import type { Config } from './config/index.ts'
import { parseDimensions } from './domain/dimensions.ts'
import type { EnrichedIp } from './domain/ip-masking.ts'
import { splitWindows } from './domain/windows.ts'
import { loginAggregate } from './login-aggregate.ts'
import { LoginProcessor } from './login-processor.ts'
import { type LoginStatsSettings, sinks } from './login-stats-settings.ts'
import { type LoginMeter, noMeter } from './metrics/login-meter.ts'

/**
 * The way of a login:
 *
 *   logins -> LoginProcessor -> dead letters | enriched logins
 *                            -> partial counts, by table key
 *   partial counts -> AggregateProcessor, with the store of counters -> table rows
 */
export function loginStatsTopology(settings: LoginStatsSettings, meter: LoginMeter = noMeter): Topology {
  const { appId, inputTopic, outputTopic, dlqTopic, enrichedTopic, windows } = settings
  const repartitionTopic = `${appId}-counts-repartition`
  const builder = new TopologyBuilder(appId)

  const reading = builder
    .subtopology()
    .source('logins', inputTopic)
    .processor('read-logins', ['logins'], (context) => new LoginProcessor(context, settings, meter))
    .sink(sinks.partialCounts, repartitionTopic, { role: 'repartition', partitioning: 'key' })
  if (dlqTopic !== null) {
    reading.sink(sinks.deadLetters, dlqTopic, { role: 'same-partitions-as-input', partitioning: 'source' })
  }
  if (enrichedTopic !== null) {
    reading.sink(sinks.enriched, enrichedTopic, { role: 'same-partitions-as-input', partitioning: 'source' })
  }

  builder
    .subtopology()
    .source('partial-counts', repartitionTopic, 'repartition')
    .processor(
      'count-logins',
      ['partial-counts'],
      (context) =>
        new AggregateProcessor(context, loginAggregate(windows, meter.of(context.taskId)), {
          sink: sinks.table,
        }),
    )
    .store('counts', { indexKeyOf: timerIndex })
    .sink(sinks.table, outputTopic, { role: 'table', partitioning: 'key' })

  return builder.build()
}

/** `loadConfig` has seen to it that there is a key where one is needed. */
function enrichedIpOf({ enrichedIp: mode, enrichedIpKey }: Config): EnrichedIp {
  return mode === 'hmac' ? { mode, key: enrichedIpKey ?? '' } : { mode }
}

/** The application's topology under a configuration. */
export function topologyOf(config: Config, meter: LoginMeter = noMeter): Topology {
  const settings: LoginStatsSettings = {
    appId: config.appId,
    inputTopic: config.inputTopic,
    outputTopic: config.outputTopic,
    dlqTopic: config.dlqTopic,
    enrichedTopic: config.enrichedTopic,
    enrichedIp: enrichedIpOf(config),
    dimensions: parseDimensions(config.sources.dimensions.text),
    windows: splitWindows(config.rollingWindows, config.rollingPanes),
    maxClockSkewMs: config.maxClockSkewMs,
  }
  return loginStatsTopology(settings, meter)
}
