import { CodedError } from '../../errors.ts'
import type { RecordView } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import type { PartialHeader } from '../aggregate/partial.ts'
import { SourceTransactions } from '../aggregate/source-transactions.ts'
import type { StateStore } from '../store/types.ts'
import type { FlushReason, Processor, ProcessorContext, SourcePosition } from '../topology/processor.ts'
import { type ProcessorNode, type Subtopology, upstreamSources } from '../topology/topology.ts'
import { type RecordCollector, sinkHandle } from './record-collector.ts'
import type { TaskEnvironment } from './task-environment.ts'

interface GraphOptions {
  readonly taskId: string
  readonly partition: number
  readonly subtopology: Subtopology
  readonly environment: TaskEnvironment
  readonly collector: RecordCollector
  readonly store: StateStore | null
  /** As the last commit left them. */
  readonly streamTime: number | null
  readonly highestEventTime: number | null
  readonly counted: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly log: Log
}

/** A processor in its place: its children get what it forwards. */
interface GraphNode {
  readonly processor: Processor<unknown>
  readonly children: GraphNode[]
}

/**
 * The processors of one task, and what they share: stream time, and how far the sources have been counted. Made anew each
 * time the task starts from its committed state.
 */
export class ProcessorGraph {
  readonly #options: GraphOptions
  readonly #nodes = new Map<string, GraphNode>()
  readonly #bySource = new Map<string, Processor<RecordView>[]>()
  readonly #transactions: SourceTransactions
  #streamTime: number | null
  /** Highest event time, which stream time follows as soon as the wall clock allows. */
  #highestEventTime: number | null
  #position: SourcePosition = { topic: '', partition: 0 }
  /** Of the chunk under work. */
  #readers: readonly Processor<RecordView>[] = []
  #now = 0
  /** Of what has been processed since the last flush. */
  #oldestOrigin: number | null = null

  constructor(options: GraphOptions) {
    this.#options = options
    this.#streamTime = options.streamTime
    this.#highestEventTime = options.highestEventTime
    const { subtopology, environment } = options
    this.#transactions = new SourceTransactions(
      upstreamSources(environment.topology, subtopology),
      options.counted,
    )
    this.beginSlice()
    // Children first, so that a processor's context knows where its output goes.
    for (const node of subtopology.processors.toReversed()) this.#add(node)
    for (const { name, topic } of subtopology.sources) {
      const readers = subtopology.processors.filter(({ inputs }) => inputs.includes(name))
      this.#bySource.set(
        topic,
        readers.map((reader) => this.#node(reader.name).processor as Processor<RecordView>),
      )
    }
  }

  #add(node: ProcessorNode): void {
    const children = this.#options.subtopology.processors
      .filter(({ inputs }) => inputs.includes(node.name))
      .map(({ name }) => this.#node(name))
    const processor = node.supplier(this.#context(children)) as Processor<unknown>
    this.#nodes.set(node.name, { processor, children })
  }

  #node(name: string): GraphNode {
    const node = this.#nodes.get(name)
    if (node === undefined) throw this.#invalid(`There is no processor ${name}.`)
    return node
  }

  #context(children: readonly GraphNode[]): ProcessorContext {
    const { taskId, partition, log, collector, store, subtopology, environment } = this.#options
    return {
      taskId,
      partition,
      log,
      now: () => this.#now,
      streamTime: () => this.#streamTime,
      advanceStreamTime: (eventTimeMs) => this.#advance(eventTimeMs),
      readPartial: (header) => this.#readPartial(header),
      noteOrigin: (appendedAt) => {
        this.#oldestOrigin = Math.min(appendedAt, this.#oldestOrigin ?? appendedAt)
      },
      sink: (name) => {
        const sink = subtopology.sinks.find((candidate) => candidate.name === name)
        if (sink === undefined) throw this.#invalid(`There is no sink ${name}.`)
        const partitionCount = environment.catalog.partitionCount(sink.topic)
        const maxRecordBytes = environment.catalog.maxRecordBytes(sink.topic)
        return sinkHandle(collector, sink, { taskPartition: partition, partitionCount, maxRecordBytes })
      },
      store: () => {
        if (store === null) throw this.#invalid('The subtopology has no store.')
        return store
      },
      forward: (value) => {
        for (const child of children) child.processor.process(value, this.#position)
      },
    }
  }

  /** Reads the clock once for all records of a slice; stream time may follow it. */
  beginSlice(): void {
    const { clock, settings } = this.#options.environment
    this.#now = clock.now()
    if (this.#highestEventTime !== null) this.#advance(this.#highestEventTime)
    if (settings.streamTimeFollowsWallClock && this.#streamTime !== null) {
      this.#advance(this.#now - settings.maxStreamTimeLeadMs)
    }
  }

  #advance(eventTimeMs: number): void {
    if (this.#highestEventTime === null || eventTimeMs > this.#highestEventTime) {
      this.#highestEventTime = eventTimeMs
    }
    // One wrong clock must not move the windows of all keys into the future.
    const latest = this.#now + this.#options.environment.settings.maxStreamTimeLeadMs
    const time = eventTimeMs < latest ? eventTimeMs : latest
    if (this.#streamTime === null || time > this.#streamTime) this.#streamTime = time
  }

  /** The sender has cut its stream time; to cut it again, by another clock, would put this task behind what it is sent. */
  #readPartial(header: PartialHeader): void {
    const { streamTime } = header
    if (streamTime !== null && (this.#streamTime === null || streamTime > this.#streamTime)) {
      this.#streamTime = streamTime
    }
    this.#transactions.read(header)
  }

  /** The next records come from there. */
  beginChunk(position: SourcePosition): void {
    this.#position = position
    this.#readers = this.#bySource.get(position.topic) ?? []
  }

  process(record: RecordView): void {
    for (const reader of this.#readers) reader.process(record, this.#position)
  }

  /** True if some processor has more to do at once. */
  async punctuate(): Promise<boolean> {
    let hasMore = false
    for (const { processor } of this.#nodes.values()) {
      if ((await processor.punctuate?.()) === true) hasMore = true
    }
    return hasMore
  }

  flush(reason: FlushReason): void {
    // From source to sink, so that what a processor forwards is flushed by those after it.
    for (const { name } of this.#options.subtopology.processors) this.#node(name).processor.flush?.(reason)
  }

  /** The oldest origin that processors have noted since the last call. */
  takeOrigin(): number | null {
    const origin = this.#oldestOrigin
    this.#oldestOrigin = null
    return origin
  }

  get wantsCommit(): boolean {
    for (const { processor } of this.#nodes.values()) if (processor.wantsCommit?.() === true) return true
    return false
  }

  get sizeInBytes(): number {
    let size = 0
    for (const { processor } of this.#nodes.values()) size += processor.sizeInBytes?.() ?? 0
    return size
  }

  get streamTime(): number | null {
    return this.#streamTime
  }

  /** What stream time goes on from after a restart. */
  get highestEventTime(): number | null {
    return this.#highestEventTime
  }

  get isBetweenSourceTransactions(): boolean {
    return this.#transactions.isWhole
  }

  counted(): Record<string, Record<string, number>> {
    return this.#transactions.counted()
  }

  #invalid(detail: string): CodedError {
    return new CodedError('TOPOLOGY_INVALID', {
      operation: 'build the processors',
      task: this.#options.taskId,
      detail,
    })
  }
}
