import type { Header, RecordView } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import type { PartialHeader } from '../aggregate/partial.ts'
import type { StateStore } from '../store/types.ts'

/** Where a record that a processor handles comes from. */
export interface SourcePosition {
  readonly topic: string
  readonly partition: number
}

/** A named output of a subtopology. What is sent stays in memory until the task commits. */
export interface SinkHandle {
  /**
   * Sends one record. It goes to the partition of the sink's rule; key, value and headers are copied at once.
   * `timestamp` is in ms since the epoch.
   */
  send(key: Buffer | null, value: Buffer | null, timestamp: number, headers?: readonly Header[]): void
  /** The same, to a partition of the caller's choice. */
  sendTo(
    partition: number,
    key: Buffer | null,
    value: Buffer | null,
    timestamp: number,
    headers?: readonly Header[],
  ): void
  /** The partition that the sink's rule gives a key. */
  partitionFor(key: Buffer): number
  readonly partitionCount: number
  /** The largest record, in bytes with its batch, that the topic takes. */
  readonly maxRecordBytes: number
}

/** What a processor may use of the engine. One per processor and incarnation of its task. */
export interface ProcessorContext {
  readonly taskId: string
  readonly partition: number
  readonly log: Log
  /** Wall-clock time in ms, the same for all records of one slice of work. */
  now(): number
  /** Stream time in ms: the highest event time seen by the task, or null before the first. Survives restarts. */
  streamTime(): number | null
  /** Raises the stream time; a lower value, and what is too far ahead of the wall clock, is cut. */
  advanceStreamTime(eventTimeMs: number): void
  /** Notes the header of a partial aggregate: stream time, and up to where its source transaction has read. */
  readPartial(header: PartialHeader): void
  /** Notes when the oldest record was appended to an input of the application that the one under work stems from. Ms since the epoch. */
  noteOrigin(appendedAt: number): void
  /** The named sink of the same subtopology. Throws TOPOLOGY_INVALID if there is none. */
  sink(name: string): SinkHandle
  /** The store of the subtopology. Throws TOPOLOGY_INVALID if it has none. */
  store(): StateStore
  /** Hands a value to the processors that name this one as their input. */
  forward(value: unknown): void
}

/**
 * User code on the way of a record. `process` is synchronous: what needs the disk reads the store, which is
 * synchronous too. Memory held between calls must be sent by `flush`, which runs at step 1 of each commit.
 *
 * After an abort the engine drops the instance and makes a new one, so an instance never has to undo anything.
 */
export interface Processor<Input = RecordView> {
  process(input: Input, position: SourcePosition): void
  /** Everything kept in memory goes to sinks and store now; the commit takes it along. */
  flush?(reason: FlushReason): void
  /**
   * Runs between records, about every 100 ms, and when the task has caught up; may take part of its work and return true if
   * more is due at once.
   */
  punctuate?(): Promise<boolean>
  /** Whether there is something in memory that is worth a commit although no record has come. */
  wantsCommit?(): boolean
  /** Bytes held in memory, about, so that the engine can commit before they grow too many. */
  sizeInBytes?(): number
}

export interface FlushReason {
  /** Everything that was there to read has been processed. */
  readonly caughtUp: boolean
  /** Offsets up to which (exclusive) this commit has read, by source topic of the task. */
  readonly inputOffsets: Readonly<Record<string, number>>
  /** When the oldest record that this commit has read was appended to its topic, in ms; null where it has read none. */
  readonly oldestRecordAt: number | null
}

/** Makes a processor for one task. */
export type ProcessorSupplier<Input = RecordView> = (context: ProcessorContext) => Processor<Input>
