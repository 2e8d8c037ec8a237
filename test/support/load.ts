import { coded } from '../../src/errors.ts'
import { type GeneratedLogin, loginGenerator } from '../../src/login-stats/generator/login-generator.ts'
import type { Outgoing, TransactionalProducer } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'
import { type Application, take } from './application.ts'
import type { Expected } from './oracle.ts'

/** A failing broker is asked again after this time. */
const retryMs = 500

/**
 * Logins in small transactions, one after the other, from `startLoad` until `end`, whatever happens to the brokers meanwhile.
 * A transaction whose outcome it did not learn counts as in doubt. Each goes to one partition after the other, or, where `isSpread`, to
 * all of them.
 */
export class Load {
  readonly #application: Application
  readonly #logins: ReturnType<typeof loginGenerator>
  readonly #pauseMs: number
  readonly #batch: number
  readonly #isSpread: boolean
  readonly #run: Promise<void>
  #expected = { valid: 0, invalid: 0, inDoubt: 0 }
  #isEnded = false

  constructor(
    application: Application,
    options: { seed: number; batch: number; pauseMs: number; isSpread?: boolean },
  ) {
    this.#application = application
    this.#batch = options.batch
    this.#pauseMs = options.pauseMs
    this.#isSpread = options.isSpread ?? false
    this.#logins = loginGenerator({
      seed: options.seed,
      invalidShare: 0.02,
      clock: () => systemClock.now(),
    })
    this.#run = this.#produce()
    // Whoever ends the load hears of it.
    this.#run.catch(() => undefined)
  }

  async #produce(): Promise<void> {
    const { kafka, config } = this.#application
    const topics = await kafka.admin.topics([config.inputTopic])
    const partitionCount = topics.get(config.inputTopic)?.partitionCount ?? 1
    const all = Array.from({ length: partitionCount }, (_, partition) => partition)
    const partitionsOf = (turn: number): number[] => (this.#isSpread ? all : [turn % partitionCount])
    let producer: TransactionalProducer | null = null
    for (let turn = 0; !this.#isEnded; turn++) {
      const logins = take(this.#logins, this.#batch)
      let isInDoubt = false
      try {
        if (producer === null) {
          producer = kafka.producer({
            transactionalId: `${config.inputTopic}-load`,
            transactionTimeoutMs: 30_000,
          })
          await producer.init()
        }
        await producer.send(this.#outgoing(producer, logins, partitionsOf(turn)))
        isInDoubt = true
        await producer.commit()
        const valid = logins.filter((login) => login.valid).length
        this.#expected.valid += valid
        this.#expected.invalid += logins.length - valid
      } catch (error) {
        // A broker is away: what was sent before may yet be aborted, or stand. Anything else is a fault of the test.
        const { code } = coded(error, 'load')
        if (code === 'INTERNAL') throw error
        if (isInDoubt) this.#expected.inDoubt += logins.length
        producer?.close()
        producer = null
        await systemClock.sleep(retryMs)
      }
      await systemClock.sleep(this.#pauseMs)
    }
    producer?.close()
  }

  #outgoing(
    producer: TransactionalProducer,
    logins: readonly GeneratedLogin[],
    partitions: readonly number[],
  ): Outgoing[] {
    const { inputTopic: topic } = this.#application.config
    const outgoing = partitions.map((partition) => ({
      partition: { topic, partition },
      records: producer.appender(),
    }))
    for (const [index, { value, timestampMs }] of logins.entries()) {
      outgoing[index % outgoing.length]?.records.append(null, value, timestampMs)
    }
    return outgoing
  }

  /** Ends the load. Resolves with what the input holds now. */
  async end(): Promise<Expected> {
    this.#isEnded = true
    await this.#run
    return this.#expected
  }
}
