/** Configuration and Kafka for the commands that are not the processor itself. */

import type { KafkaClient } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { type Config, loadConfig } from '../config/index.ts'
import { printable } from '../printable.ts'
import type { CommandContext } from './context.ts'
import { Interrupted } from './error-report.ts'

export interface Session {
  readonly config: Config
  readonly log: Log
  readonly kafka: KafkaClient
}

interface SessionOptions {
  /** For a command that draws on the terminal where log lines would appear. */
  readonly isQuiet?: boolean
  /**
   * For work that asks whether it is to stop: where Kafka does not let it come to that, its requests fail so long after the stop was asked
   * for, and Interrupted is thrown. If absent, the work sees to its end itself; nobody listens while Kafka is waited for.
   */
  readonly graceMs?: number
}

/** Connects, waiting for Kafka as the processor does; closes the connections when `work` has ended. Throws Interrupted. */
export async function withKafka<T>(
  context: CommandContext,
  command: string,
  work: (session: Session) => Promise<T>,
  { isQuiet = false, graceMs }: SessionOptions = {},
): Promise<T> {
  const config = loadConfig(context.environment)
  const log = context.createLog({
    level: isQuiet ? 'silent' : config.logLevel === 'debug' ? 'debug' : 'warn',
  })
  const { kafkaOf } = await import('../kafka-client.ts')
  const kafka = kafkaOf(config, log, `${config.appId}-${command}`)
  let end: EndWithin | null = null
  try {
    await untilReachable(context, config, kafka)
    if (graceMs !== undefined) end = new EndWithin(graceMs, context, kafka)
    return await work({ config, log, kafka })
  } catch (error) {
    throw end?.isForced ? new Interrupted({ cause: error }) : error
  } finally {
    end?.close()
    await kafka.close()
  }
}

/** Closes the client some time after the stop was asked for, so that whatever waits for Kafka fails. */
class EndWithin {
  isForced = false
  readonly #stopListening: () => void
  #cancelTimer = (): void => {}

  constructor(graceMs: number, { clock, stop }: CommandContext, kafka: KafkaClient) {
    this.#stopListening = stop.listen(() => {
      this.#cancelTimer = clock.setTimer(graceMs, () => {
        this.isForced = true
        void kafka.close()
      })
    })
  }

  close(): void {
    this.#stopListening()
    this.#cancelTimer()
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

/** Throws Interrupted where the stop is asked for first; the client is then to be closed, which ends the waiting. */
async function untilReachable(context: CommandContext, config: Config, kafka: KafkaClient): Promise<void> {
  const reached = kafka.admin.clusterId((cause, waitedMs) => {
    const seconds = Math.round(waitedMs / 1000)
    context.err.write(
      `Waiting for Kafka at ${config.brokers.join(', ')} (${seconds} s): ${printable(cause.message)}\n`,
    )
  })
  const interrupted = context.stop.requested.then(() => {
    throw new Interrupted()
  })
  await Promise.race([reached, interrupted])
}
