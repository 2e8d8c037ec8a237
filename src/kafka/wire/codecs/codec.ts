/** How requests become bytes and answers come out of them: kafkajs's codecs where it has the version, else our own. */
import Decoder from 'kafkajs/src/protocol/decoder.js'
import Encoder from 'kafkajs/src/protocol/encoder.js'
import protocol from 'kafkajs/src/protocol/requests/index.js'
import { CodedError } from '../../../errors.ts'
import type { RequestHeader } from '../broker-connection.ts'
import type { ApiName, Apis } from '../wire.ts'

export interface Codec<A extends ApiName> extends RequestHeader {
  /** The body, in parts that are written one after the other. */
  encode(request: Apis[A]['request']): readonly Buffer[] | Promise<readonly Buffer[]>
  /** Answers keep their error codes. Byte fields may be views over `body`. */
  decode(body: Buffer): Apis[A]['answer'] | Promise<Apis[A]['answer']>
}

interface KafkajsCodec<A extends ApiName, Decoded> {
  /** kafkajs's name of the request. */
  readonly name: string
  readonly version: number
  /** The request in kafkajs's names. */
  readonly options: (request: Apis[A]['request']) => unknown
  readonly answer: (decoded: Decoded) => Apis[A]['answer']
}

/** A codec of kafkajs's. Its `parse`, which throws for error codes, is not used. `Decoded` is what its `decode` gives. */
export function kafkajsCodec<A extends ApiName, Decoded>(codec: KafkajsCodec<A, Decoded>): Codec<A> {
  const { name, version, options, answer } = codec
  const definition = protocol.requests[name]
  if (definition === undefined) throw new CodedError('KAFKAJS_CHANGED', { operation: `looking for ${name}` })
  const create = definition.protocol({ version })
  const { request, response } = create({})
  return {
    apiKey: request.apiKey,
    version,
    flexible: false,
    encode: async (ownRequest) => [(await create(options(ownRequest)).request.encode()).buffer],
    decode: async (body) => answer((await response.decode(body)) as Decoded),
  }
}

/** The flat lists of our requests, by topic as the protocol has them. */
export function byTopic<P extends { readonly topic: string }>(
  items: readonly P[],
): { topic: string; items: P[] }[] {
  const topics = new Map<string, P[]>()
  for (const item of items) {
    const list = topics.get(item.topic)
    if (list === undefined) topics.set(item.topic, [item])
    else list.push(item)
  }
  return [...topics].map(([topic, list]) => ({ topic, items: list }))
}

/** Reads one array of topics, each with an array of partitions, into one flat list. */
export function readByTopic<P>(decoder: Decoder, readPartition: (topic: string) => P): P[] {
  const partitions: P[] = []
  const topicCount = decoder.readInt32()
  for (let t = 0; t < topicCount; t++) {
    const topic = decoder.readString() ?? ''
    const partitionCount = decoder.readInt32()
    for (let p = 0; p < partitionCount; p++) partitions.push(readPartition(topic))
  }
  return partitions
}

/** Like `readByTopic`, for flexible versions: compact arrays, and tagged fields after each. */
export function readByTopicCompact<P>(decoder: Decoder, readPartition: (topic: string) => P): P[] {
  const partitions: P[] = []
  for (let t = decoder.readUVarInt() - 1; t > 0; t--) {
    const topic = decoder.readUVarIntString() ?? ''
    for (let p = decoder.readUVarInt() - 1; p > 0; p--) {
      partitions.push(readPartition(topic))
      skipTags(decoder)
    }
    skipTags(decoder)
  }
  return partitions
}

/** A decoder behind the header of a flexible answer. (kafkajs's own `readTaggedFields` takes lengths for compact ones.) */
export function flexibleDecoder(body: Buffer): Decoder {
  const decoder = new Decoder(body)
  skipTags(decoder)
  return decoder
}

export function skipTags(decoder: Decoder): void {
  for (let count = decoder.readUVarInt(); count > 0; count--) {
    decoder.readUVarInt()
    decoder.forward(decoder.readUVarInt())
  }
}

/** No tagged fields. */
export function writeNoTags(encoder: Encoder): void {
  encoder.writeUVarInt(0)
}

export function writeArray<T>(encoder: Encoder, items: readonly T[], write: (item: T) => void): void {
  encoder.writeInt32(items.length)
  for (const item of items) write(item)
}

export function writeCompactArray<T>(encoder: Encoder, items: readonly T[], write: (item: T) => void): void {
  encoder.writeUVarInt(items.length + 1)
  for (const item of items) write(item)
}

/** An offset or timestamp. Throws for what is no whole number, which kafkajs would write as 0. */
export function writeNumber64(encoder: Encoder, value: number): void {
  encoder.writeInt64(BigInt(value))
}

/** Offsets stay far below 2^53. */
export function readNumber64(decoder: Decoder): number {
  return Number(decoder.readInt64())
}

export { Decoder, Encoder }
