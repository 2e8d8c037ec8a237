/**
 * Kafka's own format for what a member tells the leader and the leader tells a member (protocol type "consumer", version 0),
 * so that Kafka's tools can describe the group, and the broker knows whose offsets must not expire:
 *
 *   subscription: int16 version, [string topic], bytes user data
 *   assignment:   int16 version, [string topic, [int32 partition]], bytes user data
 *
 * Numbers are big-endian; a string has an int16 length, an array and bytes an int32 length, -1 for null. What a newer version
 * appends is ignored.
 */
import { CodedError } from '../errors.ts'
import type { MemberAssignment, TopicPartition } from '../ports/kafka.ts'
import { byTopic } from './context.ts'

export const protocolType = 'consumer'

export interface Subscription {
  readonly topics: readonly string[]
  readonly userData: Buffer
}

export function encodeSubscription({ topics, userData }: Subscription): Buffer {
  return Buffer.concat([int16(0), int32(topics.length), ...topics.map(string), bytes(userData)])
}

export function decodeSubscription(buffer: Buffer): Subscription {
  const reader = new Reader(buffer, 'decode a subscription')
  reader.int16()
  const topics = reader.array(() => reader.string())
  return { topics, userData: reader.bytes() }
}

export function encodeAssignment({ partitions, userData }: MemberAssignment): Buffer {
  const topics = byTopic(partitions)
  return Buffer.concat([
    int16(0),
    int32(topics.length),
    ...topics.flatMap(({ topic, partitions: list }) => [
      string(topic),
      int32(list.length),
      ...list.map(int32),
    ]),
    bytes(userData),
  ])
}

/** An empty buffer is what a member gets whom the leader gave nothing. */
export function decodeAssignment(buffer: Buffer): MemberAssignment {
  if (buffer.length === 0) return { partitions: [], userData: Buffer.alloc(0) }
  const reader = new Reader(buffer, 'decode an assignment')
  reader.int16()
  const partitions: TopicPartition[] = []
  reader.array(() => {
    const topic = reader.string()
    reader.array(() => partitions.push({ topic, partition: reader.int32() }))
  })
  return { partitions, userData: reader.bytes() }
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2)
  buffer.writeInt16BE(value)
  return buffer
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32BE(value)
  return buffer
}

function string(value: string): Buffer {
  const text = Buffer.from(value, 'utf8')
  return Buffer.concat([int16(text.length), text])
}

function bytes(value: Buffer): Buffer {
  return Buffer.concat([int32(value.length), value])
}

class Reader {
  private readonly buffer: Buffer
  private readonly operation: string
  private at = 0

  constructor(buffer: Buffer, operation: string) {
    this.buffer = buffer
    this.operation = operation
  }

  int16(): number {
    return this.take(2).readInt16BE()
  }

  int32(): number {
    return this.take(4).readInt32BE()
  }

  string(): string {
    return this.take(this.int16()).toString('utf8')
  }

  bytes(): Buffer {
    return this.take(Math.max(0, this.int32()))
  }

  array<T>(read: () => T): T[] {
    const items: T[] = []
    for (let left = this.int32(); left > 0; left--) items.push(read())
    return items
  }

  private take(length: number): Buffer {
    const end = this.at + length
    if (length < 0 || end > this.buffer.length) {
      throw new CodedError('GROUP_INCONSISTENT', {
        operation: this.operation,
        detail: `A member sent ${this.buffer.length} bytes that are not in the format of a consumer.`,
      })
    }
    const slice = this.buffer.subarray(this.at, end)
    this.at = end
    return slice
  }
}
