/** Metadata v10 and FindCoordinator v2: who is where. */
import { type Codec, Encoder, flexibleDecoder, kafkajsCodec, skipTags, writeNoTags } from './codec.ts'

const noTopicId = Buffer.alloc(16)

/** Version 10 is flexible, and the first with topic ids. */
export const metadataCodec: Codec<'Metadata'> = {
  apiKey: 3,
  version: 10,
  flexible: true,
  encode({ topics }) {
    const encoder = new Encoder().writeUVarInt(topics === null ? 0 : topics.length + 1)
    for (const topic of topics ?? []) {
      encoder.writeBuffer(noTopicId).writeUVarIntString(topic)
      writeNoTags(encoder)
    }
    encoder.writeBoolean(false) // create missing topics
    encoder.writeBoolean(false).writeBoolean(false) // tell authorized operations of cluster and topics
    writeNoTags(encoder)
    return [encoder.buffer]
  },
  decode(body) {
    const decoder = flexibleDecoder(body)
    decoder.readInt32() // throttle time
    const brokers = decoder.readUVarIntArray(() => {
      const nodeId = decoder.readInt32()
      const host = decoder.readUVarIntString() ?? ''
      const port = decoder.readInt32()
      decoder.readUVarIntString() // rack
      skipTags(decoder)
      return { nodeId, host, port }
    })
    const clusterId = decoder.readUVarIntString()
    const controllerId = decoder.readInt32()
    const readInt32 = (): number => decoder.readInt32()
    const readPartition = () => {
      const errorCode = decoder.readInt16()
      const partition = decoder.readInt32()
      const leaderId = decoder.readInt32()
      const leaderEpoch = decoder.readInt32()
      decoder.readUVarIntArray(readInt32) // replicas
      decoder.readUVarIntArray(readInt32) // in-sync replicas
      decoder.readUVarIntArray(readInt32) // offline replicas
      skipTags(decoder)
      return { errorCode, partition, leaderId, leaderEpoch }
    }
    const topics = decoder.readUVarIntArray(() => {
      const errorCode = decoder.readInt16()
      const name = decoder.readUVarIntString() ?? ''
      const topicId = topicIdText(decoder.readBytes(16))
      decoder.readBoolean() // internal
      const partitions = decoder.readUVarIntArray(readPartition) ?? []
      decoder.readInt32() // authorized operations
      skipTags(decoder)
      return { errorCode, name, topicId, partitions }
    })
    return { clusterId, controllerId, brokers: brokers ?? [], topics: topics ?? [] }
  },
}

/** As Kafka prints topic ids. */
function topicIdText(bytes: Buffer | null): string | null {
  if (bytes === null || bytes.length < 16) throw new RangeError('The answer ends in a topic id')
  return bytes.equals(noTopicId) ? null : bytes.toString('base64url')
}

interface FoundCoordinator {
  errorCode: number
  coordinator: { nodeId: number; host: string; port: number }
}

export const findCoordinatorCodec = kafkajsCodec<'FindCoordinator', FoundCoordinator>({
  name: 'GroupCoordinator',
  version: 2,
  // kafkajs calls it `groupId` whatever the type.
  options: ({ key, keyType }) => ({ groupId: key, coordinatorType: keyType }),
  answer: ({ errorCode, coordinator }) => ({ errorCode, ...coordinator }),
})
