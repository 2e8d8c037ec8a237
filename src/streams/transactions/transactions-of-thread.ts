/**
 * One transaction for all tasks of a stream thread that commit at the same time, under the thread's transactional id.
 *
 *   1. One transaction at a time. Parts that are committed meanwhile make up the next one.
 *   2. A part whose transaction has failed has failed, whatever the outcome, and its task is taken over anew. Parts that wait behind
 *      it fail with it: what became of the failed transaction is known only after the next `init`.
 *   3. That `init` comes before anything else of this member: with the next assignment, the next `open`, or the next commit of a task
 *      that had no part in the failure. The group must have confirmed us since: a member that has been replaced must not fence the one in its place.
 */
import type { Clock } from '../../ports/clock.ts'
import type { GroupIdentity, TransactionalProducer } from '../../ports/kafka.ts'
import { CommitPacing } from './commit-pacing.ts'
import { fencedProducer, type TransactionsOptions } from './fenced-producer.ts'
import { runTransaction } from './run-transaction.ts'
import type { TaskTransactions, TransactionPart, Transactions } from './transactions.ts'

interface Waiting {
  readonly part: TransactionPart
  readonly resolve: (ends: number[]) => void
  readonly reject: (error: unknown) => void
}

export class TransactionsOfThread implements Transactions {
  readonly isShared = true
  readonly #options: TransactionsOptions
  readonly #transactionalId: string
  readonly #pacing: CommitPacing
  #producer: Promise<TransactionalProducer> | null = null
  /** The `init` under way: two at once, for two of our memberships, would fence each other. */
  #underWay: Promise<TransactionalProducer> | null = null
  #isFirst = true
  #identity: GroupIdentity | null = null
  #waiting: Waiting[] = []
  #isRunning = false

  /** `transactionalId`: nobody else's, and the same again after a restart. */
  constructor(
    options: TransactionsOptions,
    parts: { readonly clock: Clock; readonly transactionalId: string },
  ) {
    this.#options = options
    this.#transactionalId = parts.transactionalId
    this.#pacing = new CommitPacing(parts.clock)
  }

  commitAs(identity: GroupIdentity): void {
    // Who was in our place meanwhile has fenced our producer, and may have left a transaction open under our id.
    if (this.#identity !== null && this.#identity.memberId !== identity.memberId) this.close()
    this.#identity = identity
    // Whatever was assigned: a transaction that this member has left open holds the readers of all its partitions back.
    this.#ready().catch(ignoreHere)
  }

  pacingOf(): CommitPacing {
    return this.#pacing
  }

  async open(): Promise<TaskTransactions> {
    const producer = await this.#ready()
    return {
      appender: (maxBatchBytes) => producer.appender(maxBatchBytes),
      commit: (part) => this.#commit(part),
      close: () => {
        // The producer is for all tasks.
      },
    }
  }

  close(): void {
    const producer = this.#producer
    this.#producer = null
    void producer?.then((open) => open.close(), ignoreHere)
  }

  #commit(part: TransactionPart): Promise<number[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ part, resolve, reject })
      if (this.#isRunning) return
      this.#isRunning = true
      // Later, so that all that are committed in this turn go together.
      queueMicrotask(() => void this.#run())
    })
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const together = this.#waiting
      this.#waiting = []
      try {
        const producer = await this.#ready()
        const parts = together.map(({ part }) => part)
        const ends = await runTransaction(producer, this.#identity, parts, this.#options.ended)
        for (const [index, { resolve }] of together.entries()) resolve(ends[index] ?? [])
      } catch (error) {
        this.close()
        for (const { reject } of [...together, ...this.#waiting.splice(0)]) reject(error)
      }
    }
    this.#isRunning = false
  }

  #ready(): Promise<TransactionalProducer> {
    if (this.#producer !== null) return this.#producer
    const init = () => this.#init()
    const producer = this.#underWay === null ? init() : this.#underWay.then(init, init)
    this.#producer = producer
    this.#underWay = producer
    const ended = () => {
      if (this.#underWay === producer) this.#underWay = null
    }
    producer.then(ended, () => {
      ended()
      if (this.#producer === producer) this.#producer = null
    })
    return producer
  }

  async #init(): Promise<TransactionalProducer> {
    if (!this.#isFirst) await this.#options.member.confirm()
    this.#isFirst = false
    return await fencedProducer(this.#options, this.#transactionalId)
  }
}

const ignoreHere = (): void => {
  // Whoever needs the producer is told why there is none, or makes the next one.
}
