/** A Kafka of a few logs in memory, as the verifier reads it. */
import { systemClock } from '../../../src/system/clock.ts'
import { type KafkaReader, type KafkaRecord, readBatches } from '../../../src/verify/index.ts'
import { makeBatch, makeMarker } from './batches.ts'

const producerId = 7

type Content = Pick<KafkaRecord, 'key' | 'value' | 'headers'>

/** A partition: each batch is a transaction of its own, with its marker behind it. */
export class Log {
  /** Of the last one, exclusive. */
  end = 0
  #batches: { readonly bytes: Buffer; readonly lastOffset: number; readonly isControl: boolean }[] = []

  /** Returns the offset of the first record. */
  append(records: readonly Content[]): number {
    const baseOffset = this.end
    const marker = baseOffset + records.length
    this.#batches.push(
      {
        bytes: makeBatch({ baseOffset, producerId, transactional: true, records: records.map(made) }),
        ...{ lastOffset: marker - 1, isControl: false },
      },
      { bytes: makeMarker(marker, producerId, 'commit'), lastOffset: marker, isControl: true },
    )
    this.end = marker + 1
    return baseOffset
  }

  /** Removes what has a later record of the same key, below an offset. */
  async compact(below: number, recordsOf: (batch: Buffer) => Promise<KafkaRecord[]>): Promise<void> {
    const last = new Map<string, number>()
    for (const { bytes, isControl } of this.#batches)
      for (const { key, offset } of isControl ? [] : await recordsOf(bytes))
        if (offset < below && key !== null) last.set(key.toString('latin1'), offset)
    this.#batches = await Promise.all(
      this.#batches.map(async (batch) => {
        const [header] = batch.isControl ? [] : readBatches(batch.bytes)
        if (header === undefined) return batch
        const kept = (await recordsOf(batch.bytes)).filter(
          ({ key, offset }) => offset >= below || last.get(key?.toString('latin1') ?? '') === offset,
        )
        const { baseOffset, lastOffset } = header
        const records = kept.map((one) => ({ ...made(one), at: one.offset - baseOffset }))
        const lastOffsetDelta = lastOffset - baseOffset
        const rest = { baseOffset, producerId, transactional: true, records, lastOffsetDelta }
        return { ...batch, bytes: makeBatch(rest) }
      }),
    )
  }

  /** The batches from the one that holds an offset on, up to some bytes, but at least one. */
  read(offset: number, maxBytes: number): Buffer {
    const read: Buffer[] = []
    let bytes = 0
    for (const { bytes: batch, lastOffset } of this.#batches) {
      if (lastOffset < offset) continue
      if (read.length > 0 && bytes + batch.length > maxBytes) break
      read.push(batch)
      bytes += batch.length
    }
    return Buffer.concat(read)
  }
}

function made({ key, value, headers }: Content) {
  const named = headers.map(([name, bytes]) => [name, bytes?.toString() ?? null] as const)
  return { key: key as unknown as string | null, value, headers: named }
}

/** Topics by name, each a list of partitions. */
export function readerOf(topics: Readonly<Record<string, readonly Log[]>>): KafkaReader {
  return {
    clock: systemClock,
    partitionCount: async (topic) => topics[topic]?.length ?? null,
    topicId: async () => null,
    offsets: async (topic, which) => topics[topic]!.map(({ end }) => (which === 'earliest' ? 0 : end)),
    committedOffsets: async (_, topic) => topics[topic]!.map(() => null),
    fetch: async (topic, partition, offset) => {
      const log = topics[topic]![partition]!
      return {
        ...{ errorCode: 0, logStartOffset: 0, abortedTransactions: [] },
        ...{ highWatermark: log.end, lastStableOffset: log.end, records: log.read(offset, 2000) },
      }
    },
    close: async () => undefined,
  }
}
