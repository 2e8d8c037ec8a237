/**
 * The transaction coordinator:
 *
 *     empty --AddPartitions, AddOffsets--> ongoing --EndTxn--> prepare-commit, prepare-abort --markers--> complete
 *
 * Between prepare and complete the markers are on their way, one after the other, and every request of the id meets
 * CONCURRENT_TRANSACTIONS. InitProducerId during a transaction, and its time-out, end it by an epoch of their own, so that its
 * producer is fenced from then on.
 */
import { kafkaError as k } from '../../../src/kafka/wire/wire.ts'
import type { EventQueue, ScheduledEvent } from '../event-queue.ts'
import type { SeededRandom } from '../random.ts'

type TransactionState =
  | 'empty'
  | 'ongoing'
  | 'prepare-commit'
  | 'prepare-abort'
  | 'complete-commit'
  | 'complete-abort'

interface Transaction {
  readonly transactionalId: string
  producerId: bigint
  epoch: number
  timeoutMs: number
  state: TransactionState
  /** How many there were under this id. */
  count: number
  /** Partitions and groups that take part, as whoever ends it there. */
  participants: Map<string, Participant>
  timeout: ScheduledEvent | null
}

interface Producer {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** As a broker has it that nobody has configured. */
const longestTimeoutMs = 900_000

/** Ends the transaction at one of its partitions or groups. */
export type Participant = (end: { producerId: bigint; producerEpoch: number; commit: boolean }) => void

export interface TransactionSettings {
  /** How long a marker takes, at the most. */
  markerDelayMs: number
  /** How often the coordinator looks for transactions that are too old. */
  readonly timeoutCheckMs: number
}

export class TransactionCoordinator {
  readonly #queue: EventQueue
  readonly #random: SeededRandom
  readonly #settings: TransactionSettings
  readonly #transactions = new Map<string, Transaction>()
  #nextProducerId = 1000n

  constructor(queue: EventQueue, random: SeededRandom, settings: TransactionSettings) {
    this.#queue = queue
    this.#random = random
    this.#settings = settings
  }

  initProducerId(transactionalId: string, timeoutMs: number) {
    const refused = (errorCode: number) => ({ errorCode, producerId: -1n, producerEpoch: -1 })
    if (timeoutMs <= 0 || timeoutMs > longestTimeoutMs) return refused(k.INVALID_TRANSACTION_TIMEOUT)
    const known = this.#transactions.get(transactionalId)
    if (known === undefined) {
      const producerId = this.#nextProducerId++
      this.#transactions.set(transactionalId, {
        transactionalId,
        producerId,
        epoch: 0,
        timeoutMs,
        state: 'empty',
        count: 0,
        participants: new Map(),
        timeout: null,
      })
      return { errorCode: k.NONE, producerId, producerEpoch: 0 }
    }
    if (known.state === 'ongoing') {
      known.epoch++
      this.#prepare(known, false)
      return refused(k.CONCURRENT_TRANSACTIONS)
    }
    if (known.state.startsWith('prepare')) return refused(k.CONCURRENT_TRANSACTIONS)
    known.epoch++
    known.timeoutMs = timeoutMs
    known.state = 'empty'
    return { errorCode: k.NONE, producerId: known.producerId, producerEpoch: known.epoch }
  }

  /** Fences whoever has the id, as another producer with it would. */
  fence(transactionalId: string): boolean {
    if (!this.#transactions.has(transactionalId)) return false
    this.initProducerId(transactionalId, 60_000)
    return true
  }

  get transactionalIds(): string[] {
    return [...this.#transactions.keys()]
  }

  /** Ids whose transaction is not over. */
  get open(): string[] {
    return [...this.#transactions.values()]
      .filter(({ state }) => state === 'ongoing' || state.startsWith('prepare'))
      .map(({ transactionalId }) => transactionalId)
  }

  /** Transactions that are not over, of ids that begin with those words: one name for each, which never comes again. */
  openTransactions(idOrPrefix: string): string[] {
    return this.#open(({ transactionalId: id }) => id === idOrPrefix || id.startsWith(`${idOrPrefix}-`))
  }

  /** The name of the producer's transaction if it is not over. */
  openTransactionOf(producerId: bigint): string[] {
    return this.#open((transaction) => transaction.producerId === producerId)
  }

  #open(chosen: (transaction: Transaction) => boolean): string[] {
    return [...this.#transactions.values()]
      .filter(({ state }) => state === 'ongoing' || state.startsWith('prepare'))
      .filter(chosen)
      .map(({ transactionalId, count }) => `${transactionalId} no. ${count}`)
  }

  /** Forgets an id, as after a week in which nobody has used it; not while its transaction is open. */
  forget(transactionalId: string): boolean {
    const known = this.#transactions.get(transactionalId)
    if (known === undefined || known.state === 'ongoing' || known.state.startsWith('prepare')) return false
    return this.#transactions.delete(transactionalId)
  }

  /** Takes participants into the transaction, which begins with the first of them. */
  add(producer: Producer, participants: ReadonlyMap<string, Participant>): number {
    const found = this.#find(producer)
    if (typeof found === 'number') return found
    if (found.state.startsWith('prepare')) return k.CONCURRENT_TRANSACTIONS
    if (found.state !== 'ongoing') {
      found.state = 'ongoing'
      found.count++
      found.participants = new Map()
      this.#startTimeout(found)
    }
    for (const [name, participant] of participants) found.participants.set(name, participant)
    return k.NONE
  }

  end(producer: Producer, commit: boolean): number {
    const found = this.#find(producer)
    if (typeof found === 'number') return found
    switch (found.state) {
      case 'ongoing':
        this.#prepare(found, commit)
        return k.NONE
      case 'prepare-commit':
        return commit ? k.CONCURRENT_TRANSACTIONS : k.INVALID_TXN_STATE
      case 'prepare-abort':
        return commit ? k.INVALID_TXN_STATE : k.CONCURRENT_TRANSACTIONS
      case 'complete-commit':
        return commit ? k.NONE : k.INVALID_TXN_STATE
      case 'complete-abort':
        return commit ? k.INVALID_TXN_STATE : k.NONE
      case 'empty':
        return k.INVALID_TXN_STATE
    }
  }

  /** What a leader asks before it takes the first batch of a transaction. */
  verify(producer: Producer, participant: string): number {
    const found = this.#find(producer)
    if (typeof found === 'number') return found
    if (found.state.startsWith('prepare')) return k.NOT_ENOUGH_REPLICAS
    if (found.state !== 'ongoing' || !found.participants.has(participant)) return k.INVALID_TXN_STATE
    return k.NONE
  }

  #find({ transactionalId, producerId, producerEpoch }: Producer): Transaction | number {
    const found = this.#transactions.get(transactionalId)
    if (found === undefined || found.producerId !== producerId) return k.INVALID_PRODUCER_ID_MAPPING
    return found.epoch === producerEpoch ? found : k.INVALID_PRODUCER_EPOCH
  }

  #startTimeout(transaction: Transaction): void {
    const { timeoutCheckMs } = this.#settings
    const delayMs = transaction.timeoutMs + this.#random.between(0, timeoutCheckMs)
    transaction.timeout = this.#queue.afterQuietly(delayMs, () => {
      if (transaction.state !== 'ongoing') return
      transaction.epoch++
      this.#prepare(transaction, false)
    })
  }

  #prepare(transaction: Transaction, commit: boolean): void {
    transaction.state = commit ? 'prepare-commit' : 'prepare-abort'
    if (transaction.timeout !== null) transaction.timeout.isCancelled = true
    const end = { producerId: transaction.producerId, producerEpoch: transaction.epoch, commit }
    let left = transaction.participants.size
    const completeWhenDone = (): void => {
      if (left === 0) transaction.state = commit ? 'complete-commit' : 'complete-abort'
    }
    completeWhenDone()
    for (const participant of transaction.participants.values()) {
      this.#queue.afterQuietly(this.#random.between(0, this.#settings.markerDelayMs), () => {
        participant(end)
        left--
        completeWhenDone()
      })
    }
  }
}
