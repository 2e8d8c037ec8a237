import { partitionFor } from '../../bytes/murmur2.ts'
import { CodedError } from '../../errors.ts'
import type { Header, Outgoing, RecordAppender } from '../../ports/kafka.ts'
import type { SinkHandle } from '../topology/processor.ts'
import type { SinkNode } from '../topology/topology.ts'

/**
 * What a task wants to send with its next commit, encoded as it is collected. Nothing leaves before the commit.
 */
export class RecordCollector {
  readonly #newAppender: (topic: string) => RecordAppender
  #appenders = new Map<string, (RecordAppender | undefined)[]>()

  constructor(newAppender: (topic: string) => RecordAppender) {
    this.#newAppender = newAppender
  }

  /** The appender for a partition, made at first use. */
  appender(topic: string, partition: number): RecordAppender {
    let partitions = this.#appenders.get(topic)
    if (partitions === undefined) {
      partitions = []
      this.#appenders.set(topic, partitions)
    }
    let appender = partitions[partition]
    if (appender === undefined) {
      appender = this.#newAppender(topic)
      partitions[partition] = appender
    }
    return appender
  }

  /** Bytes collected since the last `freeze`. */
  get sizeInBytes(): number {
    let size = 0
    for (const partitions of this.#appenders.values()) {
      for (const appender of partitions) size += appender?.sizeInBytes ?? 0
    }
    return size
  }

  /** Everything collected so far; the collector starts empty again. */
  freeze(): Outgoing[] {
    const outgoing: Outgoing[] = []
    for (const [topic, partitions] of this.#appenders) {
      for (const [partition, records] of partitions.entries()) {
        if (records !== undefined) outgoing.push({ partition: { topic, partition }, records })
      }
    }
    this.#appenders = new Map()
    return outgoing
  }
}

/** A sink of one task, over its collector. */
export function sinkHandle(
  collector: RecordCollector,
  sink: SinkNode,
  options: { taskPartition: number; partitionCount: number; maxRecordBytes: number },
): SinkHandle {
  const { topic, partitioning } = sink
  const { taskPartition, partitionCount, maxRecordBytes } = options
  const byKey = partitioning === 'key'
  const partitionOf = (key: Buffer): number => (byKey ? partitionFor(key, partitionCount) : taskPartition)
  return {
    partitionCount,
    maxRecordBytes,
    partitionFor: partitionOf,
    sendTo(partition, key, value, timestamp, headers) {
      collector.appender(topic, partition).append(key, value, timestamp, headers)
    },
    send(key: Buffer | null, value: Buffer | null, timestamp: number, headers?: readonly Header[]) {
      if (byKey && key === null) {
        throw new CodedError('TOPOLOGY_INVALID', {
          operation: 'send a record',
          topic,
          detail: `The sink ${sink.name} goes by key, and the record has none.`,
        })
      }
      const partition = key === null ? taskPartition : partitionOf(key)
      collector.appender(topic, partition).append(key, value, timestamp, headers)
    },
  }
}
