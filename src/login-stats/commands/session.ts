/** Configuration and Kafka for the commands that are not the processor itself. */

import type { KafkaClient } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { type Config, loadConfig } from '../config/index.ts'
import type { CommandContext } from './context.ts'

export interface Session {
  readonly config: Config
  readonly log: Log
  readonly kafka: KafkaClient
}

/**
 * Connects, waiting for Kafka as the processor does; closes the connections when `work` has ended. `isQuiet`: for a command that draws on
 * the terminal where log lines would appear.
 */
export async function withKafka<T>(
  context: CommandContext,
  command: string,
  work: (session: Session) => Promise<T>,
  { isQuiet = false }: { readonly isQuiet?: boolean } = {},
): Promise<T> {
  const config = loadConfig(context.environment)
  const log = context.createLog({
    level: isQuiet ? 'silent' : config.logLevel === 'debug' ? 'debug' : 'warn',
  })
  const { kafkaOf } = await import('../kafka-client.ts')
  const kafka = kafkaOf(config, log, `${config.appId}-${command}`)
  try {
    await untilReachable(context, config, kafka)
    return await work({ config, log, kafka })
  } finally {
    await kafka.close()
  }
}

/** Resolves when Kafka answers; for commands with a client of their own. */
export async function waitForKafka(context: CommandContext, config: Config): Promise<void> {
  const { kafkaOf } = await import('../kafka-client.ts')
  const log = context.createLog({ level: 'error' })
  const kafka = kafkaOf(config, log, `${config.appId}-waiting`)
  try {
    await untilReachable(context, config, kafka)
  } finally {
    await kafka.close()
  }
}

async function untilReachable(context: CommandContext, config: Config, kafka: KafkaClient): Promise<void> {
  await kafka.admin.clusterId((cause, waitedMs) => {
    const seconds = Math.round(waitedMs / 1000)
    context.err.write(`Waiting for Kafka at ${config.brokers.join(', ')} (${seconds} s): ${cause.message}\n`)
  })
}
