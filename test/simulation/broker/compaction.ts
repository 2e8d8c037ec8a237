/**
 * What the log cleaner makes of the batches of a compacted partition:
 *
 *   1. Of each key the last record stays. With `deletesTombstones` deletions go too.
 *   2. Records of aborted transactions go, whatever their key.
 *   3. A marker may go, with its entry in the index of aborted transactions, once no batch of its transaction is left.
 *   4. A batch of which nothing is left goes, unless it is the last of its producer, whose sequence and epoch must not be forgotten,
 *      or the last of this round: then it stays, empty. Markers too.
 */
import { type RecordPart, recordsIn, type StoredBatch, withRecords } from './batches.ts'

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
  readonly lastOffset: number
}

export interface Compaction {
  /** What is cleaned, from the start of the log. */
  readonly batches: readonly StoredBatch[]
  /** Of the whole log, in the order of their ends. */
  readonly aborted: readonly AbortedTransaction[]
  readonly deletesTombstones: boolean
  isLastOfProducer(batch: StoredBatch): boolean
}

const commitMarker = 1

export function compacted(work: Compaction): { batches: StoredBatch[]; aborted: AbortedTransaction[] } {
  const { batches, deletesTombstones, isLastOfProducer } = work
  const transactions = new TraversedTransactions(work.aborted)
  const discardable = new Set(batches.filter((batch) => transactions.mayDiscard(batch)))
  const newest = newestOffsets(batches, discardable)
  const keeps = (batch: StoredBatch): readonly RecordPart[] => {
    if (batch.isControl) return discardable.has(batch) && deletesTombstones ? [] : recordsIn(batch)
    if (discardable.has(batch)) return []
    return recordsIn(batch).filter(
      ({ key, offset, hasValue }) =>
        key !== null && newest.get(key.toString('latin1')) === offset && (hasValue || !deletesTombstones),
    )
  }
  const left = batches.flatMap((batch) => {
    if (batch.isCompressed) return [batch]
    const records = keeps(batch)
    if (records.length === 0 && !isLastOfProducer(batch) && batch !== batches.at(-1)) return []
    return [records.length === batch.recordCount ? batch : withRecords(batch, records)]
  })
  return { batches: left, aborted: transactions.remaining }
}

function newestOffsets(
  batches: readonly StoredBatch[],
  discardable: ReadonlySet<StoredBatch>,
): ReadonlyMap<string, number> {
  const newest = new Map<string, number>()
  for (const batch of batches) {
    if (batch.isControl || batch.isCompressed || discardable.has(batch)) continue
    for (const { key, offset } of recordsIn(batch))
      if (key !== null) newest.set(key.toString('latin1'), offset)
  }
  return newest
}

/** Follows the transactions while the batches are walked through in their order. */
class TraversedTransactions {
  /** Entries of the index that are still needed. */
  readonly remaining: AbortedTransaction[]
  readonly #aborted: readonly AbortedTransaction[]
  /** Producers of which a batch of the transaction under way has been met. */
  readonly #withData = new Set<bigint>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#aborted = aborted
    this.remaining = [...aborted]
  }

  /** Whether all records of a batch may go: those of an aborted transaction, and markers of which no other batch is left. */
  mayDiscard(batch: StoredBatch): boolean {
    const { producerId } = batch
    if (!batch.isTransactional) return false
    if (!batch.isControl) {
      this.#withData.add(producerId)
      return this.#abortedAround(batch) !== undefined
    }
    const hadData = this.#withData.delete(producerId)
    const [marker] = recordsIn(batch)
    if (marker?.key?.at(-1) === commitMarker || hadData) return !hadData
    const ended = this.#abortedAround(batch)
    if (ended !== undefined) this.remaining.splice(this.remaining.indexOf(ended), 1)
    return true
  }

  #abortedAround({ producerId, baseOffset, lastOffset }: StoredBatch): AbortedTransaction | undefined {
    return this.#aborted.find(
      (transaction) =>
        transaction.producerId === producerId &&
        baseOffset >= transaction.firstOffset &&
        lastOffset <= transaction.lastOffset,
    )
  }
}
