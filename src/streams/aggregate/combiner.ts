import type { FlushReason, ProcessorContext, SinkHandle } from '../topology/processor.ts'
import type { Aggregate } from './aggregate.ts'
import { encodePartial, markLast } from './partial.ts'

/** At least so long between two records that tell stream time alone. */
const streamTimeIntervalMs = 1000

/** Beyond so many known keys the table of keys is started over, lest it grows without bound. */
const maxKnownKeys = 100_000

/** One key and what has been folded for it since the last flush. Callers may keep it and skip the look-up. */
export interface CombinerEntry<Delta> {
  readonly key: Buffer
  readonly partition: number
  /** Valid while `generation` is the combiner's, else `Combiner.renew` must be called first. */
  delta: Delta
  generation: number
}

/**
 * The first stage of an aggregate: folds records into one delta per key, and at each commit sends one partial per touched
 * key to the repartition topic. A million logins become a few hundred records before they cross the network.
 *
 * Stream time goes along with each partial, and alone to all partitions at most once a second, so that keys without new
 * records learn how late it is.
 */
export class Combiner<Delta, State> {
  /** Grows with each flush; an entry of an older generation holds nothing. */
  generation = 0
  readonly #context: ProcessorContext
  readonly #aggregate: Aggregate<Delta, State>
  readonly #sink: SinkHandle
  readonly #sourceTopics: readonly string[]
  #entries = new Map<string, CombinerEntry<Delta>>()
  #touched: CombinerEntry<Delta>[] = []
  #toldStreamTime: number | null = null
  #toldAt = Number.NEGATIVE_INFINITY

  /** `sourceTopics`: the source topics of the subtopology, in its order. */
  constructor(
    context: ProcessorContext,
    aggregate: Aggregate<Delta, State>,
    options: { sink: string; sourceTopics: readonly string[] },
  ) {
    this.#context = context
    this.#aggregate = aggregate
    this.#sink = context.sink(options.sink)
    this.#sourceTopics = options.sourceTopics
  }

  /** Keys touched since the last flush. */
  get touchedCount(): number {
    return this.#touched.length
  }

  /** The entry of `key` with a delta of this generation. */
  entry(key: string): CombinerEntry<Delta> {
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      const bytes = Buffer.from(key)
      entry = {
        key: bytes,
        partition: this.#sink.partitionFor(bytes),
        delta: this.#aggregate.createDelta(),
        generation: this.generation,
      }
      this.#entries.set(key, entry)
      this.#touched.push(entry)
    } else if (entry.generation !== this.generation) {
      this.renew(entry)
    }
    return entry
  }

  /** Gives an entry of an older generation a new, empty delta. */
  renew(entry: CombinerEntry<Delta>): void {
    entry.delta = this.#aggregate.createDelta()
    entry.generation = this.generation
    this.#touched.push(entry)
  }

  /** Whether stream time should be told to partitions that nothing else goes to. */
  wantsCommit(): boolean {
    const streamTime = this.#context.streamTime()
    return (
      streamTime !== null &&
      streamTime !== this.#toldStreamTime &&
      this.#context.now() - this.#toldAt >= streamTimeIntervalMs
    )
  }

  /** Sends one partial per touched key, and stream time where it is due. */
  flush(reason: FlushReason): void {
    const now = this.#context.now()
    const streamTime = this.#context.streamTime()
    const header = {
      sourcePartition: this.#context.partition,
      streamTime,
      offsets: this.#sourceTopics.map((topic) => reason.inputOffsets[topic] ?? 0),
    }
    const last = new Map<number, { key: Buffer | null; value: Buffer }>()
    const send = (partition: number, key: Buffer | null, value: Buffer): void => {
      const before = last.get(partition)
      if (before !== undefined) this.#sink.sendTo(partition, before.key, before.value, now)
      last.set(partition, { key, value })
    }
    for (const { partition, key, delta } of this.#touched) {
      send(partition, key, encodePartial(header, this.#aggregate.encodeDelta(delta)))
    }
    if (this.wantsCommit()) {
      const alone = encodePartial(header, null)
      for (let partition = 0; partition < this.#sink.partitionCount; partition++) {
        if (!last.has(partition)) send(partition, null, Buffer.from(alone))
      }
      this.#toldStreamTime = streamTime
      this.#toldAt = now
    }
    for (const [partition, { key, value }] of last) {
      markLast(value)
      this.#sink.sendTo(partition, key, value, now)
    }
    this.#touched = []
    this.generation += 1
    if (this.#entries.size > maxKnownKeys) this.#entries = new Map()
  }
}
