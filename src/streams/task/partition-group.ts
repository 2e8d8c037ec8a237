import type { ConsumerOffset, FetchedRecords, Fetcher, TopicPartition } from '../../ports/kafka.ts'

/** Chunks that may wait beyond the one under work. */
const maxQueuedChunks = 1

/**
 * The input partitions of one task: what has been fetched of them, up to where it has been processed, and up to where that has been
 * committed. Memory is bounded: a partition with enough waiting is paused.
 */
export class PartitionGroup {
  readonly inputs: readonly TopicPartition[]
  readonly #fetcher: Fetcher
  #queue: FetchedRecords[] = []
  #positions: Record<string, number> = {}
  #committed: Record<string, number> = {}

  constructor(inputs: readonly TopicPartition[], fetcher: Fetcher) {
    this.inputs = inputs
    this.#fetcher = fetcher
  }

  /** Starts reading at committed offsets, by topic. */
  start(offsets: Readonly<Record<string, number>>): void {
    this.#queue = []
    this.#positions = { ...offsets }
    this.#committed = { ...offsets }
    for (const input of this.inputs) this.#fetcher.seek(input, offsets[input.topic] ?? 0)
  }

  /** Stops reading and drops what is waiting. */
  stop(): void {
    this.#queue = []
    for (const input of this.inputs) this.#fetcher.remove(input)
  }

  add(chunk: FetchedRecords): void {
    this.#queue.push(chunk)
    if (this.#queue.length > maxQueuedChunks) this.#fetcher.pause(chunk)
  }

  /** The chunk under work, or null. */
  get current(): FetchedRecords | null {
    return this.#queue[0] ?? null
  }

  /** Notes that the records up to the one at `offset` have been processed. */
  passRecord(topic: string, offset: number): void {
    this.#positions[topic] = offset + 1
  }

  /** Notes that the chunk under work has given all its records. */
  passCurrent(): void {
    const chunk = this.#queue.shift()
    if (chunk === undefined) return
    this.#positions[chunk.topic] = chunk.nextOffset
    this.#fetcher.resume(chunk)
  }

  /** Whether everything that was there to read has been processed. */
  get isCaughtUp(): boolean {
    if (this.#queue.length > 0) return false
    return this.inputs.every((input) => {
      const end = this.#fetcher.lastStableOffset(input)
      return end !== null && this.#fetcher.position(input) >= end
    })
  }

  /** Moves positions past what no reader may see (markers, aborted and compacted records), where nothing is waiting. */
  passUnseen(): void {
    if (this.#queue.length > 0) return
    for (const input of this.inputs) {
      const next = this.#fetcher.position(input)
      if (next > this.position(input.topic)) this.#positions[input.topic] = next
    }
  }

  position(topic: string): number {
    return this.#positions[topic] ?? 0
  }

  /** A copy, by topic. */
  positions(): Record<string, number> {
    return { ...this.#positions }
  }

  get hasMoved(): boolean {
    return this.inputs.some(({ topic }) => this.#positions[topic] !== this.#committed[topic])
  }

  noteCommitted(offsets: readonly ConsumerOffset[]): void {
    for (const { partition, offset } of offsets) this.#committed[partition.topic] = offset
  }

  committed(): { partition: TopicPartition; offset: number }[] {
    return this.inputs.map((partition) => ({ partition, offset: this.#committed[partition.topic] ?? 0 }))
  }

  /** Records between the positions and the last stable offsets; null while unknown. */
  get lag(): number | null {
    let lag = 0
    for (const input of this.inputs) {
      const end = this.#fetcher.lastStableOffset(input)
      if (end === null) return null
      lag += Math.max(0, end - this.position(input.topic))
    }
    return lag
  }
}
