import type { Clock } from '../../ports/clock.ts'
import type { GroupIdentity } from '../../ports/kafka.ts'
import { CommitPacing } from './commit-pacing.ts'
import { fencedProducer, type TransactionsOptions } from './fenced-producer.ts'
import { runTransaction } from './run-transaction.ts'
import type { TaskTransactions, TransactionPart, Transactions } from './transactions.ts'

/** One transaction per task and commit, under the transactional id `<application id>-<task id>`. */
export class TransactionsOfTasks implements Transactions {
  readonly isShared = false
  readonly #options: TransactionsOptions
  readonly #clock: Clock
  readonly #applicationId: string
  #identity: GroupIdentity | null = null

  constructor(
    options: TransactionsOptions,
    parts: { readonly clock: Clock; readonly applicationId: string },
  ) {
    this.#options = options
    this.#clock = parts.clock
    this.#applicationId = parts.applicationId
  }

  commitAs(identity: GroupIdentity): void {
    this.#identity = identity
  }

  pacingOf(): CommitPacing {
    return new CommitPacing(this.#clock)
  }

  async open(taskId: string): Promise<TaskTransactions> {
    const producer = await fencedProducer(this.#options, `${this.#applicationId}-${taskId}`)
    return {
      appender: (maxBatchBytes) => producer.appender(maxBatchBytes),
      commit: async (part: TransactionPart) => {
        return (await runTransaction(producer, this.#identity, [part], this.#options.ended)).flat()
      },
      close: () => producer.close(),
    }
  }

  close(): void {
    // Each task closes its own.
  }
}
