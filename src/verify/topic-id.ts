/**
 * The id of a topic, by a Metadata request of version 10, which kafkajs does not have.
 *
 * It is a flexible version: each structure, the header too, ends in tags (one byte 0: none), and lengths are unsigned varints,
 * one more than they are (0: null).
 *
 *     request   tags of the header, topics (topic_id uuid, name, tags), allow_auto_topic_creation bool,
 *               include_cluster_authorized_operations bool, include_topic_authorized_operations bool, tags
 *     answer    tags of the header, throttle_time_ms i32, brokers (node_id i32, host, port i32, rack, tags), cluster_id,
 *               controller_id i32, topics (error_code i16, name, topic_id uuid, ...), ...
 */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const Encoder: new () => { writeBuffer(bytes: Buffer): unknown } = require('kafkajs/src/protocol/encoder')

export const metadataApi = 3
export const topicIdVersion = 10

const idBytes = 16

/** For one topic. */
export function topicIdRequest(topic: string): object {
  const name = Buffer.from(topic)
  const body = Buffer.concat([
    Buffer.from([0, 2]),
    Buffer.alloc(idBytes),
    uvarint(name.length + 1),
    name,
    Buffer.from([0, 0, 0, 0, 0]),
  ])
  return {
    apiKey: metadataApi,
    apiVersion: topicIdVersion,
    apiName: 'Metadata',
    encode: async () => new Encoder().writeBuffer(body),
  }
}

export interface TopicIdAnswer {
  readonly errorCode: number
  /** As Kafka writes it, in base64 for URLs; null where the topic has none. */
  readonly topicId: string | null
}

export function decodeTopicIdAnswer(payload: Buffer): TopicIdAnswer {
  let at = 1 + 4 // Tags of the header, throttle time.
  const readUvarint = (): number => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const byte = payload.readUInt8(at++)
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }
  const skipText = (): void => {
    const length = readUvarint() - 1
    at += Math.max(0, length)
  }
  for (let left = readUvarint() - 1; left > 0; left--) {
    at += 4
    skipText()
    at += 4
    skipText()
    skipTags()
  }
  skipText()
  at += 4
  if (readUvarint() < 2) return { errorCode: 0, topicId: null }
  const errorCode = payload.readInt16BE(at)
  at += 2
  skipText()
  const id = payload.subarray(at, at + idBytes)
  return { errorCode, topicId: id.every((byte) => byte === 0) ? null : id.toString('base64url') }

  function skipTags(): void {
    for (let tags = readUvarint(); tags > 0; tags--) {
      readUvarint()
      const length = readUvarint()
      at += length
    }
  }
}

function uvarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}
