/** What all measurements of one run share: one broker, one client, the inputs, a directory. */
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectKafka } from '../src/kafka/index.ts'
import { type LocalKafka, startLocalKafka } from '../src/local-kafka/index.ts'
import type { KafkaClient } from '../src/ports/kafka.ts'
import { systemClock } from '../src/system/clock.ts'
import { createLogger } from '../src/system/logger.ts'
import { systemRandom } from '../src/system/random.ts'
import { type KafkaReader, openReader } from '../src/verify/index.ts'
import { InputTopics } from './input/input-topic.ts'

export class Session {
  readonly broker: LocalKafka
  readonly kafka: KafkaClient
  readonly inputs: InputTopics
  readonly directory: string
  readonly #prefix: string
  #runs = 0

  private constructor(parts: {
    readonly broker: LocalKafka
    readonly kafka: KafkaClient
    readonly directory: string
    readonly onProgress: (text: string) => void
  }) {
    this.broker = parts.broker
    this.kafka = parts.kafka
    this.directory = parts.directory
    this.#prefix = `bench-${systemRandom
      .id()
      .replaceAll(/[^a-zA-Z0-9]/g, '')
      .slice(0, 6)}`
    this.inputs = new InputTopics(parts.kafka, this.#prefix, parts.onProgress)
  }

  static async open(onProgress: (text: string) => void): Promise<Session> {
    const broker = await startLocalKafka({ onProgress, jvm: 'throughput' })
    const brokers = broker.bootstrapServers.split(',')
    const kafka = connectKafka({
      bootstrapServers: brokers,
      clientId: 'bench',
      clock: systemClock,
      random: systemRandom,
      log: createLogger({ level: 'silent' }),
      compression: 'none',
    })
    const directory = await mkdtemp(join(tmpdir(), 'login-stats-bench-'))
    // However this process ends, its children end with it, and nothing of theirs shall be left.
    process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
    return new Session({ broker, kafka, directory, onProgress })
  }

  /** An independent reader, one for each run: it cannot live on when a topic that it has read is deleted. */
  openReader(): Promise<KafkaReader> {
    return openReader({ brokers: this.broker.bootstrapServers.split(',') }, systemClock)
  }

  /** A name that no other run of a system has: its application id. */
  newName(of: string): string {
    return `${this.#prefix}-${++this.#runs}-${of}`
  }

  async close(): Promise<void> {
    // Where the broker is ours its topics go with it.
    if (this.broker.brokers.length === 0) await this.inputs.forget()
    await this.kafka.close()
    await this.broker.close()
  }
}
