/**
 * Whoever takes a task over must have ended the transaction of its owner before, whether or not harm would come of it: the offsets
 * and the end of the changelog that are read next must be the last word.
 */
import type { TransactionCoordinator } from './broker/transactions.ts'

export class TakeOverCheck {
  readonly #transactions: TransactionCoordinator
  readonly #appId: string
  /** Transactions of the task that were open when a process began to take it over, by process and task. */
  readonly #openAtStart = new Map<string, readonly string[]>()

  constructor(transactions: TransactionCoordinator, appId: string) {
    this.#transactions = transactions
    this.#appId = appId
  }

  /** A step of a take-over is done. Returns what is wrong, or null. */
  step(process: string, task: string, step: number): string | null {
    const name = `${process} ${task}`
    const open = this.#transactions.openTransactions(`${this.#appId}-${task}`)
    if (step === 1) this.#openAtStart.set(name, open)
    if (step !== 2) return null
    const left = this.#openAtStart.get(name)?.filter((transaction) => open.includes(transaction)) ?? []
    return left.length === 0 ? null : `${name} was taken over while its transaction was open: ${left.join()}`
  }
}
