/** Produce v7, Fetch v11, ListOffsets v3 and DeleteRecords v1: where records are. */
import type { Apis } from '../wire.ts'
import {
  byTopic,
  type Codec,
  Decoder,
  Encoder,
  kafkajsCodec,
  readByTopic,
  readNumber64,
  writeArray,
  writeNumber64,
} from './codec.ts'

const allReplicas = -1

/** The batches are parts of their own, so that they are not copied. */
export const produceCodec: Codec<'Produce'> = {
  apiKey: 0,
  version: 7,
  flexible: false,
  encode({ transactionalId, timeoutMs, partitions }) {
    const parts: Buffer[] = []
    const topics = byTopic(partitions)
    let encoder = new Encoder().writeString(transactionalId).writeInt16(allReplicas).writeInt32(timeoutMs)
    encoder.writeInt32(topics.length)
    for (const { topic, items } of topics) {
      encoder.writeString(topic).writeInt32(items.length)
      for (const { partition, batch } of items) {
        encoder.writeInt32(partition).writeInt32(batch.length)
        parts.push(encoder.buffer, batch)
        encoder = new Encoder()
      }
    }
    parts.push(encoder.buffer)
    return parts
  },
  decode(body) {
    const decoder = new Decoder(body)
    const partitions = readByTopic(decoder, (topic) => {
      const partition = decoder.readInt32()
      const errorCode = decoder.readInt16()
      const baseOffset = readNumber64(decoder)
      decoder.readInt64() // log append time
      const logStartOffset = readNumber64(decoder)
      return { topic, partition, errorCode, baseOffset, logStartOffset }
    })
    return { partitions }
  },
}

const consumer = -1
const readCommitted = 1
const noSession = { id: 0, epoch: -1 }
const anyEpoch = -1
const notAFollower = -1
const noRack = ''

export const fetchCodec: Codec<'Fetch'> = {
  apiKey: 1,
  version: 11,
  flexible: false,
  encode({ maxWaitMs, minBytes, maxBytes, partitions }) {
    const encoder = new Encoder()
      .writeInt32(consumer)
      .writeInt32(maxWaitMs)
      .writeInt32(minBytes)
      .writeInt32(maxBytes)
      .writeInt8(readCommitted)
      .writeInt32(noSession.id)
      .writeInt32(noSession.epoch)
    writeArray(encoder, byTopic(partitions), ({ topic, items }) => {
      encoder.writeString(topic)
      writeArray(encoder, items, (item) => {
        encoder.writeInt32(item.partition).writeInt32(anyEpoch)
        writeNumber64(encoder, item.offset)
        writeNumber64(encoder, notAFollower)
        encoder.writeInt32(item.maxBytes)
      })
    })
    encoder.writeInt32(0) // forgotten topics
    encoder.writeString(noRack)
    return [encoder.buffer]
  },
  decode(body) {
    const decoder = new Decoder(body)
    decoder.readInt32() // throttle time
    const errorCode = decoder.readInt16()
    decoder.readInt32() // session id
    const partitions = readByTopic(decoder, (topic) => readFetched(decoder, topic))
    return { errorCode, partitions }
  },
}

const noRecords = Buffer.alloc(0)

function readFetched(decoder: Decoder, topic: string): Apis['Fetch']['answer']['partitions'][number] {
  const partition = decoder.readInt32()
  const errorCode = decoder.readInt16()
  const highWatermark = readNumber64(decoder)
  const lastStableOffset = readNumber64(decoder)
  const logStartOffset = readNumber64(decoder)
  const abortedTransactions = decoder.readArray(() => ({
    producerId: decoder.readInt64(),
    firstOffset: readNumber64(decoder),
  }))
  decoder.readInt32() // preferred read replica
  const size = decoder.readInt32()
  const records = size <= 0 ? noRecords : decoder.buffer.subarray(decoder.offset, decoder.offset + size)
  if (records.length < size)
    throw new RangeError(`${size} bytes of records announced, ${records.length} there`)
  decoder.forward(records.length)
  return {
    topic,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions,
    records,
  }
}

interface ListedOffsets {
  responses: {
    topic: string
    partitions: { partition: number; errorCode: number; offset: string }[]
  }[]
}

export const listOffsetsCodec = kafkajsCodec<'ListOffsets', ListedOffsets>({
  name: 'ListOffsets',
  version: 3,
  options: ({ isolationLevel, partitions }) => ({
    replicaId: consumer,
    isolationLevel,
    topics: byTopic(partitions).map(({ topic, items }) => ({
      topic,
      partitions: items.map(({ partition, timestamp }) => ({ partition, timestamp: BigInt(timestamp) })),
    })),
  }),
  answer: ({ responses }) => ({
    partitions: responses.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, errorCode, offset }) => ({
        topic,
        partition,
        errorCode,
        offset: Number(offset),
      })),
    ),
  }),
})

interface DeletedRecords {
  topics: { topic: string; partitions: { partition: number; errorCode: number }[] }[]
}

export const deleteRecordsCodec = kafkajsCodec<'DeleteRecords', DeletedRecords>({
  name: 'DeleteRecords',
  version: 1,
  options: ({ partitions, timeoutMs }) => ({
    timeout: timeoutMs,
    topics: byTopic(partitions).map(({ topic, items }) => ({
      topic,
      partitions: items.map(({ partition, offset }) => ({ partition, offset: BigInt(offset) })),
    })),
  }),
  answer: ({ topics }) => ({
    partitions: topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, errorCode }) => ({ topic, partition, errorCode })),
    ),
  }),
})
