import { CodedError } from '../../errors.ts'
import type { IndexKeyOf } from '../store/types.ts'
import type { ProcessorSupplier } from './processor.ts'

/**
 * A topology is plain data: what is read, by which processors, into which store and sinks. Nodes that are connected
 * form a subtopology; its tasks, one per partition, are the unit of assignment, state, commit and failure.
 */

/** How the topic of a node comes to be. */
export type TopicRole =
  /** Belongs to the outside; must exist. */
  | 'external'
  /** Made at start if missing, with the partitions of the input. */
  | 'same-partitions-as-input'
  /** Made at start if missing, with the partitions of the keyed stage; compacted. */
  | 'table'
  /** Internal: partials on their way to the keyed stage; purged below the committed offsets. */
  | 'repartition'

export interface SourceNode {
  readonly name: string
  readonly topic: string
  readonly role: TopicRole
}

export interface ProcessorNode {
  readonly name: string
  /** Names of sources or processors. */
  readonly inputs: readonly string[]
  readonly supplier: ProcessorSupplier<never>
}

export interface SinkNode {
  readonly name: string
  readonly topic: string
  readonly role: TopicRole
  /** `source`: the partition of the task; `key`: Kafka's default partitioner (murmur2). */
  readonly partitioning: 'source' | 'key'
}

export interface StoreNode {
  readonly name: string
  readonly changelogTopic: string
  readonly indexKeyOf?: IndexKeyOf
}

export interface Subtopology {
  readonly id: number
  readonly sources: readonly SourceNode[]
  readonly processors: readonly ProcessorNode[]
  readonly sinks: readonly SinkNode[]
  readonly store: StoreNode | null
}

export interface Topology {
  readonly applicationId: string
  readonly subtopologies: readonly Subtopology[]
}

/** Collects the nodes of one subtopology. Methods return the builder, so that a topology reads from source to sink. */
export class SubtopologyBuilder {
  readonly #sources: SourceNode[] = []
  readonly #processors: ProcessorNode[] = []
  readonly #sinks: SinkNode[] = []
  #store: StoreNode | null = null
  readonly #applicationId: string

  constructor(applicationId: string) {
    this.#applicationId = applicationId
  }

  /** Reads a topic from its start, each partition by the task of the same number. */
  source(name: string, topic: string, role: TopicRole = 'external'): this {
    this.#sources.push({ name, topic, role })
    return this
  }

  processor<Input>(name: string, inputs: readonly string[], supplier: ProcessorSupplier<Input>): this {
    // The builder cannot prove that the input's output type fits; the processor's own type says what it takes.
    this.#processors.push({ name, inputs, supplier: supplier as ProcessorSupplier<never> })
    return this
  }

  /** Writes to a topic. */
  sink(name: string, topic: string, options: { role: TopicRole; partitioning: 'source' | 'key' }): this {
    this.#sinks.push({ name, topic, ...options })
    return this
  }

  /** The key-value store of the subtopology, backed by `<application id>-<name>-changelog`. At most one. */
  store(name: string, options: { indexKeyOf?: IndexKeyOf } = {}): this {
    if (this.#store !== null) throw invalid(`it already has the store ${this.#store.name}`)
    this.#store = { name, changelogTopic: `${this.#applicationId}-${name}-changelog`, ...options }
    return this
  }

  build(id: number): Subtopology {
    const names = new Set<string>()
    for (const { name } of [...this.#sources, ...this.#processors, ...this.#sinks]) {
      if (names.has(name)) throw invalid(`the name ${name} stands for two nodes`)
      names.add(name)
    }
    if (this.#sources.length === 0) throw invalid(`subtopology ${id} has no source`)
    const known = new Set(this.#sources.map((source) => source.name))
    for (const processor of this.#processors) {
      for (const input of processor.inputs) {
        if (!known.has(input))
          throw invalid(`processor ${processor.name} reads ${input}, which stands not before it`)
      }
      known.add(processor.name)
    }
    return {
      id,
      sources: this.#sources,
      processors: this.#processors,
      sinks: this.#sinks,
      store: this.#store,
    }
  }
}

function invalid(detail: string): CodedError {
  return new CodedError('TOPOLOGY_INVALID', { operation: 'build the topology', detail: `${detail}.` })
}

/** Collects subtopologies, which are numbered in order. */
export class TopologyBuilder {
  readonly applicationId: string
  readonly #subtopologies: SubtopologyBuilder[] = []

  constructor(applicationId: string) {
    this.applicationId = applicationId
  }

  subtopology(): SubtopologyBuilder {
    const builder = new SubtopologyBuilder(this.applicationId)
    this.#subtopologies.push(builder)
    return builder
  }

  build(): Topology {
    return {
      applicationId: this.applicationId,
      subtopologies: this.#subtopologies.map((builder, id) => builder.build(id)),
    }
  }
}

/** Topics of all sources, or of those with this role, in the order of the topology. */
export function sourceTopics(topology: Topology, role?: TopicRole): string[] {
  const sources = topology.subtopologies.flatMap((subtopology) => subtopology.sources)
  return sources.filter((source) => role === undefined || source.role === role).map(({ topic }) => topic)
}

/** The topology as text, in the manner of Kafka Streams' `describe()`. */
export function describe(topology: Topology): string {
  const lines: string[] = [`Topology of ${topology.applicationId}`]
  for (const { id, sources, processors, sinks, store } of topology.subtopologies) {
    lines.push(`  Subtopology ${id}`)
    for (const { name, topic } of sources) lines.push(`    Source ${name} <- ${topic}`)
    for (const { name, inputs } of processors) lines.push(`    Processor ${name} <- ${inputs.join(', ')}`)
    if (store !== null) lines.push(`    Store ${store.name} (changelog ${store.changelogTopic})`)
    for (const { name, topic, partitioning } of sinks)
      lines.push(`    Sink ${name} -> ${topic} (by ${partitioning})`)
  }
  return lines.join('\n')
}

/** Source topics of the subtopology that writes the repartition topic which this one reads; none if it reads no such topic. */
export function upstreamSources(topology: Topology, subtopology: Subtopology): string[] {
  const repartition = subtopology.sources
    .filter(({ role }) => role === 'repartition')
    .map(({ topic }) => topic)
  const upstream = topology.subtopologies.filter(({ sinks }) =>
    sinks.some(({ topic }) => repartition.includes(topic)),
  )
  return upstream.flatMap(({ sources }) => sources.map(({ topic }) => topic))
}
