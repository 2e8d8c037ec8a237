/** InitProducerId v1, AddPartitionsToTxn v1, AddOffsetsToTxn v1, TxnOffsetCommit v3, EndTxn v1. */
import {
  byTopic,
  type Codec,
  Encoder,
  flexibleDecoder,
  kafkajsCodec,
  readByTopicCompact,
  writeCompactArray,
  writeNoTags,
  writeNumber64,
} from './codec.ts'

interface InitializedProducer {
  errorCode: number
  producerId: string
  producerEpoch: number
}

export const initProducerIdCodec = kafkajsCodec<'InitProducerId', InitializedProducer>({
  name: 'InitProducerId',
  version: 1,
  options: ({ transactionalId, transactionTimeoutMs }) => ({
    transactionalId,
    transactionTimeout: transactionTimeoutMs,
  }),
  answer: ({ errorCode, producerId, producerEpoch }) => ({
    errorCode,
    producerId: BigInt(producerId),
    producerEpoch,
  }),
})

interface AddedPartitions {
  errors: { topic: string; partitionErrors: { partition: number; errorCode: number }[] }[]
}

export const addPartitionsToTxnCodec = kafkajsCodec<'AddPartitionsToTxn', AddedPartitions>({
  name: 'AddPartitionsToTxn',
  version: 1,
  options: (request) => request,
  answer: ({ errors }) => ({
    partitions: errors.flatMap(({ topic, partitionErrors }) =>
      partitionErrors.map(({ partition, errorCode }) => ({ topic, partition, errorCode })),
    ),
  }),
})

export const addOffsetsToTxnCodec = kafkajsCodec<'AddOffsetsToTxn', { errorCode: number }>({
  name: 'AddOffsetsToTxn',
  version: 1,
  options: (request) => request,
  answer: ({ errorCode }) => ({ errorCode }),
})

const unknownEpoch = -1

/** Version 3 is flexible, and the first with generation and member id. */
export const txnOffsetCommitCodec: Codec<'TxnOffsetCommit'> = {
  apiKey: 28,
  version: 3,
  flexible: true,
  encode(request) {
    const encoder = new Encoder()
      .writeUVarIntString(request.transactionalId)
      .writeUVarIntString(request.groupId)
      .writeInt64(request.producerId)
      .writeInt16(request.producerEpoch)
      .writeInt32(request.generationId)
      .writeUVarIntString(request.memberId)
      .writeUVarIntString(request.instanceId)
    writeCompactArray(encoder, byTopic(request.partitions), ({ topic, items }) => {
      encoder.writeUVarIntString(topic)
      writeCompactArray(encoder, items, ({ partition, offset, metadata }) => {
        encoder.writeInt32(partition)
        writeNumber64(encoder, offset)
        encoder.writeInt32(unknownEpoch).writeUVarIntString(metadata)
        writeNoTags(encoder)
      })
      writeNoTags(encoder)
    })
    writeNoTags(encoder)
    return [encoder.buffer]
  },
  decode(body) {
    const decoder = flexibleDecoder(body)
    decoder.readInt32() // throttle time
    const partitions = readByTopicCompact(decoder, (topic) => ({
      topic,
      partition: decoder.readInt32(),
      errorCode: decoder.readInt16(),
    }))
    return { partitions }
  },
}

export const endTxnCodec = kafkajsCodec<'EndTxn', { errorCode: number }>({
  name: 'EndTxn',
  version: 1,
  options: ({ commit, ...producer }) => ({ ...producer, transactionResult: commit }),
  answer: ({ errorCode }) => ({ errorCode }),
})
