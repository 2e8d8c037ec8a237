/**
 * Whoever takes a task over must have waited for the end of what its owner had begun, whether or not harm would come of it: the offsets
 * and the end of the changelog that are read next must be the last word.
 *
 *   step 2  With one transaction per task: has ended the transaction of the task.
 *   step 3  Has waited for the transactions that had committed offsets of the task's input. Any other one can only be aborted.
 */
import type { Topology, TransactionScope } from '../../src/streams/index.ts'
import type { GroupCoordinator } from './broker/groups.ts'
import type { TransactionCoordinator } from './broker/transactions.ts'

export interface TakeOverCheckParts {
  readonly transactions: TransactionCoordinator
  readonly groups: GroupCoordinator
  readonly topology: Topology
}

export class TakeOverCheck {
  readonly #parts: TakeOverCheckParts
  /** Transactions that were open when a process began to take a task over, by process and task. */
  readonly #openAtStart = new Map<string, Readonly<Record<2 | 3, readonly string[]>>>()

  constructor(parts: TakeOverCheckParts) {
    this.#parts = parts
  }

  /** A step of a take-over is done. Returns what is wrong, or null. */
  step(process: string, task: string, step: number, scope: TransactionScope): string | null {
    const name = `${process} ${task}`
    if (step === 1) this.#openAtStart.set(name, { 2: this.#ofTask(task), 3: this.#onOffsetsOf(task) })
    if (step !== 3 && (step !== 2 || scope !== 'task')) return null
    const open = step === 2 ? this.#ofTask(task) : this.#onOffsetsOf(task)
    const left = this.#openAtStart.get(name)?.[step].filter((transaction) => open.includes(transaction)) ?? []
    return left.length === 0 ? null : `${name} was taken over while a transaction was open: ${left.join()}`
  }

  #ofTask(task: string): string[] {
    const { transactions, topology } = this.#parts
    return transactions.openTransactions(`${topology.applicationId}-${task}`)
  }

  #onOffsetsOf(task: string): string[] {
    const { transactions, groups, topology } = this.#parts
    const [subtopology, partition] = task.split('_').map(Number)
    const sources = topology.subtopologies[subtopology ?? -1]?.sources ?? []
    return sources
      .flatMap(({ topic }) => groups.pendingProducers(topology.applicationId, `${topic}/${partition}`))
      .flatMap((producerId) => transactions.openTransactionOf(producerId))
  }
}
