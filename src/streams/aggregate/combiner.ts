import type { FlushReason, ProcessorContext, SinkHandle } from '../topology/processor.ts'
import type { Aggregate } from './aggregate.ts'
import { originHeader } from './origin.ts'
import { encodePartial, markLast } from './partial.ts'

/** At least so long between two records that tell stream time alone. */
const streamTimeIntervalMs = 1000

/** Deltas by key, folded in memory. `DeltaTable` is one for any aggregate; an application may have a faster one. */
export interface Fold<Delta> {
  /** Keys that `drain` would give. */
  readonly keyCount: number
  /** Gives each key with its delta and starts over. A key stays as it is; a delta is valid during the call only. */
  drain(each: (key: Buffer, delta: Delta) => void): void
}

interface Partial {
  readonly key: Buffer | null
  readonly value: Buffer
}

/**
 * The first stage of an aggregate: at each commit sends one partial per key of a fold to the repartition topic. A million
 * logins become a few hundred records before they cross the network.
 *
 * Stream time goes along with each partial, and alone to all partitions at most once a second, so that keys without new
 * records learn how late it is. Before there is a stream time, how far the sources were read is told once, to one partition: without that,
 * nobody would know that a group had offsets there, should it lose them.
 */
export class Combiner<Delta, State> {
  readonly #context: ProcessorContext
  readonly #aggregate: Aggregate<Delta, State>
  readonly #fold: Fold<Delta>
  readonly #sink: SinkHandle
  readonly #sourceTopics: readonly string[]
  #toldStreamTime: number | null = null
  #hasToldOffsets = false
  #toldAt = Number.NEGATIVE_INFINITY

  /** `sourceTopics`: the source topics of the subtopology, in its order. */
  constructor(
    context: ProcessorContext,
    aggregate: Aggregate<Delta, State>,
    fold: Fold<Delta>,
    options: { sink: string; sourceTopics: readonly string[] },
  ) {
    this.#context = context
    this.#aggregate = aggregate
    this.#fold = fold
    this.#sink = context.sink(options.sink)
    this.#sourceTopics = options.sourceTopics
  }

  /** Whether stream time should be told to partitions that nothing else goes to. */
  wantsCommit(): boolean {
    const streamTime = this.#context.streamTime()
    if (streamTime === null || streamTime === this.#toldStreamTime) return false
    const sinceTold = this.#context.now() - this.#toldAt
    // A wall clock that was set back must not silence us for as long.
    return sinceTold >= streamTimeIntervalMs || sinceTold < 0
  }

  /** Sends one partial per key, and stream time where it is due. */
  flush(reason: FlushReason): void {
    const now = this.#context.now()
    const header = {
      sourcePartition: this.#context.partition,
      streamTime: this.#context.streamTime(),
      offsets: this.#sourceTopics.map((topic) => reason.inputOffsets[topic] ?? 0),
    }
    // One partial of each partition is held back: only when all are known is it clear which is the last.
    const heldBack = new Map<number, Partial>()
    const send = (partition: number, partial: Partial): void => {
      const before = heldBack.get(partition)
      if (before !== undefined) this.#sink.sendTo(partition, before.key, before.value, now)
      heldBack.set(partition, partial)
    }
    this.#fold.drain((key, delta) => {
      const value = encodePartial(header, this.#aggregate.encodeDelta(delta))
      send(this.#sink.partitionFor(key), { key, value })
    })
    if (this.wantsCommit()) {
      for (let partition = 0; partition < this.#sink.partitionCount; partition++) {
        if (!heldBack.has(partition)) send(partition, { key: null, value: encodePartial(header, null) })
      }
      this.#toldStreamTime = header.streamTime
      this.#toldAt = now
    }
    if (header.streamTime === null && !this.#hasToldOffsets) {
      send(header.sourcePartition % this.#sink.partitionCount, {
        key: null,
        value: encodePartial(header, null),
      })
      this.#hasToldOffsets = true
    }
    const origin = reason.oldestRecordAt === null ? [] : [originHeader(reason.oldestRecordAt)]
    for (const [partition, { key, value }] of heldBack) {
      markLast(value)
      this.#sink.sendTo(partition, key, value, now, origin)
    }
  }
}
