/** The input of the backlogs: each shape is produced once, and read by every system that is measured on it. */

import { loginGenerator } from '../../src/login-stats/generator/login-generator.ts'
import type { KafkaClient } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'
import { keyedLogin } from './keyed-logins.ts'

export interface InputShape {
  readonly logins: number
  readonly partitions: number
  /** The broker writes the batches again with this codec, as a Java producer would have written them. */
  readonly compression: 'none' | 'snappy' | 'zstd'
  /** Users of equal weight; null: the generator's population, with its odd records. */
  readonly users: number | null
}

const loginsPerTransaction = 100_000
/** So many in a row go to one partition. */
const run = 250

export class InputTopics {
  readonly #kafka: KafkaClient
  readonly #prefix: string
  readonly #onProgress: (text: string) => void
  readonly #topics = new Map<string, string>()

  constructor(kafka: KafkaClient, prefix: string, onProgress: (text: string) => void) {
    this.#kafka = kafka
    this.#prefix = prefix
    this.#onProgress = onProgress
  }

  /** The name of the topic with logins of this shape. */
  async topic(shape: InputShape): Promise<string> {
    const id = `${shape.logins}-${shape.partitions}-${shape.compression}-${shape.users ?? 'population'}`
    const known = this.#topics.get(id)
    if (known !== undefined) return known
    const name = `${this.#prefix}-input-${id}`
    const startedAt = systemClock.monotonic()
    await this.#kafka.admin.createTopics([
      {
        name,
        partitionCount: shape.partitions,
        replicationFactor: -1,
        config: { 'compression.type': shape.compression === 'none' ? 'uncompressed' : shape.compression },
      },
    ])
    await produceLogins(this.#kafka, name, shape, 0)
    const seconds = (systemClock.monotonic() - startedAt) / 1000
    this.#onProgress(`Input: ${shape.logins} logins in ${name} (${seconds.toFixed(1)} s)`)
    this.#topics.set(id, name)
    return name
  }

  async forget(): Promise<void> {
    await this.#kafka.admin.deleteTopics([...this.#topics.values()])
    this.#topics.clear()
  }
}

/** Adds logins of a shape to a topic; `first` is the number of those that are there already. */
export async function produceLogins(
  kafka: KafkaClient,
  topic: string,
  shape: Pick<InputShape, 'logins' | 'partitions' | 'users'>,
  first: number,
): Promise<void> {
  const { logins, partitions, users } = shape
  const next = users === null ? fromPopulation(first) : fromUsers(first, users)
  const producer = kafka.producer({ transactionalId: `${topic}-${first}`, transactionTimeoutMs: 60_000 })
  await producer.init()
  for (let done = 0; done < logins; ) {
    const appenders = Array.from({ length: partitions }, () => producer.appender())
    const end = Math.min(logins, done + loginsPerTransaction)
    for (; done < end; done++) {
      const { value, timestampMs } = next()
      appenders[Math.floor(done / run) % partitions]?.append(null, value, timestampMs)
    }
    await producer.send(appenders.map((records, partition) => ({ partition: { topic, partition }, records })))
    await producer.commit()
  }
  producer.close()
}

const counted = ['"locale":', '"device_type":']

type NextLogin = () => { readonly value: Buffer | null; readonly timestampMs: number }

function fromPopulation(seed: number): NextLogin {
  const logins = loginGenerator({ seed: seed + 1, clock: () => systemClock.now() })
  return () => {
    for (;;) {
      const login = logins.next().value
      if (!counted.some((member) => standsTwice(login.value, member))) return login
    }
  }
}

/** Of a member that stands twice the last one counts, says ECMAScript; Flink's parser takes the first. */
function standsTwice(value: Buffer | null, member: string): boolean {
  const first = value?.indexOf(member) ?? -1
  return first >= 0 && value?.indexOf(member, first + 1) !== -1
}

function fromUsers(first: number, users: number): NextLogin {
  let index = first
  return () => {
    const timestampMs = systemClock.now()
    return { value: keyedLogin(index++, users, timestampMs), timestampMs }
  }
}
