/**
 * Reads whole topics while others write to them.
 *
 * To read to the end is to note the end of the log, to wait until no transaction below it is open, and to read up to it. Where
 * that took a while, compaction may meanwhile have removed records ahead of the reader because of later ones beyond the noted
 * end; so the rest is read in the same way, until a lap is short.
 */
import { CodedError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { KafkaReader } from './kafka-connection.ts'
import { batchesOf, type CommittedBatch, type Range } from './read-committed.ts'
import type { KafkaRecord } from './record-batch.ts'

export type VerifyPhase = 'table' | 'changelog' | 'dead letters' | 'input' | 'ranges'

/** Offsets read and to be read of a phase; called often. */
export type OnProgress = (phase: VerifyPhase, done: number, total: number) => void

/** Compaction waits longer than this before it looks at new records, unless it is set to very short times. */
const shortLapMs = 1000
/** On a machine so slow that no lap is short, this must do. */
const mostLaps = 10
const settleTimeoutMs = 60_000
const settlePollMs = 50

export class TopicReading {
  readonly reader: KafkaReader
  readonly clock: Clock
  readonly #onProgress: OnProgress

  constructor(reader: KafkaReader, clock: Clock, onProgress: OnProgress) {
    this.reader = reader
    this.clock = clock
    this.#onProgress = onProgress
  }

  /** Reads a compacted topic to its end, from offsets by partition or from its start; returns the ends, by partition. */
  async readToEnd(
    phase: VerifyPhase,
    topic: string,
    from: readonly number[],
    onRecord: (record: KafkaRecord, partition: number) => void,
  ): Promise<number[]> {
    let start = from
    for (let lap = 1; ; lap++) {
      const lapStartedAt = this.clock.monotonic()
      const ranges = await this.rangesOf(topic, start)
      const progress = this.progress(phase, ranges)
      for (const range of ranges)
        for await (const batch of batchesOf(this.reader, range)) {
          for (const record of batch.records) onRecord(record, range.partition)
          progress(range, batch)
        }
      start = ranges.map(({ to }) => to)
      if (lap === mostLaps || this.clock.monotonic() - lapStartedAt < shortLapMs) return [...start]
    }
  }

  /** By partition: from an offset, or the start of the log, to an end below which no transaction is open. */
  async rangesOf(topic: string, from: readonly number[]): Promise<Range[]> {
    const starts = await this.reader.offsets(topic, 'earliest')
    const ends = await this.settledEnds(topic)
    return ends.map((to, partition) => ({
      ...{ topic, partition, to },
      from: Math.max(starts[partition] ?? 0, from[partition] ?? 0),
    }))
  }

  /** Throws KAFKA_RETRIABLE where a transaction does not end. */
  async settledEnds(topic: string): Promise<number[]> {
    const { ends, stable } = await this.endsWithin(topic, settleTimeoutMs)
    const open = ends.findIndex((end, partition) => (stable[partition] ?? 0) < end)
    if (open < 0) return ends
    throw new CodedError('KAFKA_RETRIABLE', {
      operation: 'wait for the end of open transactions',
      topic,
      partition: open,
      detail: `A transaction has been open for ${settleTimeoutMs / 1000} s, from offset ${stable[open] ?? 0} on.`,
    })
  }

  /** By partition: the end of the log as it is now, and the last stable offset, once that has come so far or the time is over. */
  async endsWithin(topic: string, timeoutMs: number): Promise<{ ends: number[]; stable: number[] }> {
    const ends = await this.reader.offsets(topic, 'highWatermark')
    const deadline = this.clock.monotonic() + timeoutMs
    for (;;) {
      const stable = await this.reader.offsets(topic, 'lastStable')
      const isSettled = ends.every((end, partition) => (stable[partition] ?? 0) >= end)
      if (isSettled || this.clock.monotonic() > deadline) return { ends, stable }
      await this.clock.sleep(settlePollMs)
    }
  }

  /** Tells how far a reading of ranges, one after the other, has come. */
  progress(phase: VerifyPhase, ranges: readonly Range[]): (range: Range, batch: CommittedBatch) => void {
    const lengths = ranges.map(({ from, to }) => Math.max(0, to - from))
    const total = lengths.reduce((sum, length) => sum + length, 0)
    const before = new Map(
      ranges.map((range, index) => [range, lengths.slice(0, index).reduce((sum, length) => sum + length, 0)]),
    )
    return (range, { nextOffset }) => {
      const done = (before.get(range) ?? 0) + Math.min(nextOffset, range.to) - range.from
      this.#onProgress(phase, done, total)
    }
  }
}
