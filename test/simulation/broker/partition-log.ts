/**
 * One partition: its batches, what the producers have written, which transactions are open, and which were aborted.
 *
 * Every replica is in sync: the high watermark is the end of the log, but for a while after another node has become the leader, when it
 * may be behind.
 */
import { kafkaError } from '../../../src/kafka/wire/wire.ts'
import { hasGoodChecksum, markerBatch, maxTimestamp, placed, type StoredBatch } from './batches.ts'
import { type AbortedTransaction, compacted } from './compaction.ts'

interface ProducerState {
  epoch: number
  /** The last five batches, as a leader remembers them to know duplicates. */
  batches: { readonly firstSequence: number; readonly lastSequence: number; readonly baseOffset: number }[]
  /** First offset of the open transaction. */
  openSince: number | null
}

const rememberedBatches = 5
const sequenceModulus = 2 ** 31
const timestampAheadMs = 3_600_000
const invalidTimestamp = 32

export class PartitionLog {
  readonly topic: string
  readonly partition: number
  batches: StoredBatch[] = []
  aborted: AbortedTransaction[] = []
  logStart = 0
  end = 0
  /** About so many batches make a segment, at whose end an answer to a fetch ends too; 0: all are in one. */
  segmentBatches = 0
  /** Called when a reader may see more. */
  onMove: () => void = () => {}
  /** What was deleted from the front, for those who must know the whole. */
  readonly deleted: { batches: StoredBatch[]; aborted: AbortedTransaction[] } = { batches: [], aborted: [] }
  /** The high watermark of a new leader that has not heard of its followers yet. */
  #behind: number | null = null
  readonly #producers = new Map<bigint, ProducerState>()
  /** Producers about whose transaction the coordinator was asked, and which have not written since. */
  readonly #asked = new Map<bigint, { epoch: number; lowestSequence: number }>()

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get highWatermark(): number {
    return this.#behind ?? this.end
  }

  /** Whether a new leader does not know yet how far its followers are. */
  get isLagging(): boolean {
    return this.#behind !== null
  }

  /** Those who read see up to `batchCount` batches less, until `catchUp`; never less than what was deleted. */
  lag(batchCount: number): void {
    this.#behind = Math.max(this.batches.at(-batchCount)?.baseOffset ?? 0, this.logStart)
  }

  catchUp(): void {
    this.#behind = null
    this.onMove()
  }

  /**
   * The first offset of the oldest open transaction, or the high watermark. Where records of that transaction were deleted, it is where
   * the first batch begins of which anything is left: if the log starts within a batch, that is before the start of the log.
   */
  get lastStable(): number {
    let stable = this.highWatermark
    for (const { openSince } of this.#producers.values())
      if (openSince !== null && openSince < stable) stable = openSince
    if (stable >= this.logStart) return stable
    return Math.min(this.batches[0]?.baseOffset ?? this.end, this.highWatermark)
  }

  /** The log as if nothing had been deleted from its front. */
  whole(): PartitionLog {
    if (this.logStart === 0) return this
    const whole = new PartitionLog(this.topic, this.partition)
    whole.end = this.end
    whole.batches = [...this.deleted.batches, ...this.batches]
    whole.aborted = [...this.deleted.aborted, ...this.aborted]
    for (const [producerId, state] of this.#producers) whole.#producers.set(producerId, state)
    return whole
  }

  hasOpenTransaction(producerId: bigint, producerEpoch: number): boolean {
    const known = this.#producers.get(producerId)
    return known !== undefined && known.openSince !== null && known.epoch === producerEpoch
  }

  /**
   * The coordinator is asked whether a batch is part of a transaction. Until the producer writes, or its transaction ends, no later
   * batch than the earliest one of those asked about is taken.
   */
  ask(producerId: bigint, epoch: number, sequence: number): void {
    if (epoch < (this.#producers.get(producerId)?.epoch ?? epoch)) return
    const asked = this.#asked.get(producerId)
    if (asked === undefined || epoch > asked.epoch)
      this.#asked.set(producerId, { epoch, lowestSequence: sequence })
    else if (epoch === asked.epoch) asked.lowestSequence = Math.min(asked.lowestSequence, sequence)
  }

  /** Appends a produced batch, unless the producer's state forbids it. Error code 0: written, now or before. */
  append(
    bytes: Buffer,
    limits: { readonly maxBytes: number; readonly now: number },
  ): { errorCode: number; baseOffset: number } {
    const refused = (errorCode: number) => ({ errorCode, baseOffset: -1 })
    if (bytes.length > limits.maxBytes) return refused(kafkaError.MESSAGE_TOO_LARGE)
    if (!hasGoodChecksum(bytes)) return refused(kafkaError.CORRUPT_MESSAGE)
    if (maxTimestamp(bytes) > limits.now + timestampAheadMs) return refused(invalidTimestamp)
    const batch = placed(bytes, this.end)
    if (batch.producerId >= 0n) {
      const known = this.#producers.get(batch.producerId)
      const verdict = judge(known, batch, this.#asked.get(batch.producerId)?.lowestSequence)
      if (verdict.kind === 'refused') return refused(verdict.errorCode)
      if (verdict.kind === 'duplicate') return { errorCode: 0, baseOffset: verdict.baseOffset }
      this.#note(known, batch)
    }
    this.batches.push(batch)
    this.end = batch.lastOffset + 1
    this.onMove()
    return { errorCode: 0, baseOffset: batch.baseOffset }
  }

  #note(known: ProducerState | undefined, batch: StoredBatch): void {
    this.#asked.delete(batch.producerId)
    const isSameEpoch = known !== undefined && known.epoch === batch.producerEpoch
    const before = isSameEpoch ? known.batches : []
    const { baseSequence: firstSequence, lastSequence, baseOffset } = batch
    this.#producers.set(batch.producerId, {
      epoch: batch.producerEpoch,
      batches: [...before, { firstSequence, lastSequence, baseOffset }].slice(-rememberedBatches),
      openSince: known?.openSince ?? (batch.isTransactional ? baseOffset : null),
    })
  }

  /** Ends the open transaction of a producer, and fences its older epochs. */
  writeMarker(marker: {
    producerId: bigint
    producerEpoch: number
    commit: boolean
    timestamp: number
  }): void {
    const known = this.#producers.get(marker.producerId)
    if (known !== undefined && known.epoch > marker.producerEpoch) return
    this.#asked.delete(marker.producerId)
    const batch = markerBatch(this.end, marker)
    this.batches.push(batch)
    this.end = batch.lastOffset + 1
    const firstOffset = known?.openSince ?? null
    if (firstOffset !== null && !marker.commit) {
      this.aborted.push({ producerId: marker.producerId, firstOffset, lastOffset: batch.lastOffset })
    }
    const isSameEpoch = known?.epoch === marker.producerEpoch
    this.#producers.set(marker.producerId, {
      epoch: marker.producerEpoch,
      batches: isSameEpoch ? known.batches : [],
      openSince: null,
    })
    this.onMove()
  }

  /**
   * What a `read_committed` fetch gives from an offset: batches below the last stable offset, the last of them cut off at
   * `maxBytes`, unless it is the first; that one whole if `atLeastOne`.
   */
  read(offset: number, maxBytes: number, atLeastOne: boolean) {
    const { lastStable } = this
    const from = this.#indexOf(offset)
    const pieces: Buffer[] = []
    let size = 0
    let next = offset
    for (let index = from; index < this.batches.length; index++) {
      const { bytes, lastOffset } = this.batches[index] as StoredBatch
      if (lastOffset >= lastStable) break
      if (size + bytes.length > maxBytes && !(atLeastOne && size === 0)) {
        // A first batch that does not fit is left out, not cut off.
        if (size > 0 && maxBytes > size) pieces.push(bytes.subarray(0, maxBytes - size))
        break
      }
      pieces.push(bytes)
      size += bytes.length
      next = lastOffset + 1
      if (this.#endsSegment(lastOffset)) break
    }
    const upTo = Math.max(next, this.batches[from]?.lastOffset ?? next)
    const abortedTransactions = this.aborted
      .filter(({ firstOffset, lastOffset }) => lastOffset >= offset && firstOffset < upTo)
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
    const [only = Buffer.alloc(0)] = pieces
    return { records: pieces.length <= 1 ? only : Buffer.concat(pieces), abortedTransactions }
  }

  #endsSegment(lastOffset: number): boolean {
    return (
      this.segmentBatches > 0 && (Math.imul(lastOffset + 1, 0x9e3779b1) >>> 8) % this.segmentBatches === 0
    )
  }

  /** Index of the first batch that reaches `offset`. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.batches.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.batches[middle] as StoredBatch).lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  deleteBelow(offset: number): number {
    const wanted = offset === -1 ? this.highWatermark : offset
    if (wanted > this.highWatermark || wanted < 0) return kafkaError.OFFSET_OUT_OF_RANGE
    this.logStart = Math.max(this.logStart, wanted)
    const isLeft = ({ lastOffset }: { readonly lastOffset: number }): boolean => lastOffset >= this.logStart
    this.deleted.batches.push(...this.batches.filter((batch) => !isLeft(batch)))
    this.deleted.aborted.push(...this.aborted.filter((transaction) => !isLeft(transaction)))
    this.batches = this.batches.filter(isLeft)
    this.aborted = this.aborted.filter(isLeft)
    return 0
  }

  /** Compacts what is stable, but for the last `kept` batches. */
  compact(kept: number, deletesTombstones: boolean): void {
    const { lastStable } = this
    const end = Math.max(0, this.batches.length - kept)
    const cleaned = this.batches.slice(0, end).filter(({ lastOffset }) => lastOffset < lastStable)
    const { batches, aborted } = compacted({
      batches: cleaned,
      aborted: this.aborted,
      deletesTombstones,
      isLastOfProducer: (batch) => this.#isLastOfProducer(batch),
    })
    this.batches = [...batches, ...this.batches.slice(cleaned.length)]
    this.aborted = aborted
  }

  /** Its last data, which has the sequence, or else the marker that has its epoch. */
  #isLastOfProducer({ producerId, producerEpoch, baseOffset, isControl }: StoredBatch): boolean {
    const state = this.#producers.get(producerId)
    const lastData = state?.batches.at(-1)
    if (lastData !== undefined) return lastData.baseOffset === baseOffset
    return isControl && state?.epoch === producerEpoch
  }
}

type Judgement =
  | { readonly kind: 'new' }
  | { readonly kind: 'duplicate'; readonly baseOffset: number }
  | { readonly kind: 'refused'; readonly errorCode: number }

function judge(
  known: ProducerState | undefined,
  batch: StoredBatch,
  lowestAsked: number | undefined,
): Judgement {
  const outOfOrder = { kind: 'refused', errorCode: kafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER } as const
  const isAhead = lowestAsked !== undefined && batch.baseSequence > lowestAsked
  // A leader that knows nothing of a producer takes whatever sequence it begins with.
  if (known === undefined) return isAhead ? outOfOrder : { kind: 'new' }
  if (batch.producerEpoch < known.epoch)
    return { kind: 'refused', errorCode: kafkaError.INVALID_PRODUCER_EPOCH }
  if (batch.producerEpoch > known.epoch)
    return batch.baseSequence === 0 && !isAhead ? { kind: 'new' } : outOfOrder
  const same = known.batches.find(
    ({ firstSequence, lastSequence }) =>
      firstSequence === batch.baseSequence && lastSequence === batch.lastSequence,
  )
  if (same !== undefined) return { kind: 'duplicate', baseOffset: same.baseOffset }
  const last = known.batches.at(-1)
  const expected = last === undefined ? 0 : (last.lastSequence + 1) % sequenceModulus
  return batch.baseSequence === expected && !isAhead ? { kind: 'new' } : outOfOrder
}
