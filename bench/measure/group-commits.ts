/**
 * The transactions of a consumer group, as the broker has them. Every transaction of an exactly-once processor commits input offsets,
 * and so leaves in the group's partition of `__consumer_offsets`:
 *
 *   1. the offsets, each a record with group, topic and partition in its key (version i16, group and topic as i16 length and bytes,
 *      partition i32) and the offset at the start of its value (version i16, offset i64);
 *   2. a marker with the time at which the transaction was decided.
 *
 * How far the offsets of the input have moved since the transaction before is how many logins this one has brought. One that moves
 * none has brought the counts of logins of an earlier one.
 */
import {
  type KafkaReader,
  type KafkaRecord,
  readBatches,
  readMarker,
  readRecords,
} from '../../src/verify/index.ts'

export interface GroupCommit {
  /** Of the marker: ms since the epoch by the broker's clock. */
  readonly time: number
  readonly logins: number
}

const offsetsTopic = '__consumer_offsets'
const maxBytes = 4 * 1024 * 1024

/** The commits of one group, made of the batches of its partition. The input begins at offset 0. */
export class GroupCommits {
  readonly commits: GroupCommit[] = []
  readonly #groupId: string
  readonly #inputTopic: string
  /** By producer: what its open transaction commits of the input, by partition; empty where nothing. */
  readonly #open = new Map<bigint, Map<number, number>>()
  readonly #positions = new Map<number, number>()

  constructor(groupId: string, inputTopic: string) {
    this.#groupId = groupId
    this.#inputTopic = inputTopic
  }

  /** Returns where to read on behind the batches of one answer. */
  async add(bytes: Buffer, from: number): Promise<number> {
    let position = from
    for (const batch of readBatches(bytes)) {
      if (batch.lastOffset < from) continue
      position = batch.lastOffset + 1
      if (batch.isControl) this.#end(batch.producerId, await readMarker(batch), batch.baseTimestamp)
      else if (batch.isTransactional)
        for (const record of await readRecords(batch)) this.#note(batch.producerId, record)
    }
    return position
  }

  #note(producerId: bigint, { key, value }: KafkaRecord): void {
    if (key === null || value === null) return
    const { group, topic, partition } = readKey(key)
    if (group !== this.#groupId) return
    const offsets = this.#open.get(producerId) ?? new Map<number, number>()
    this.#open.set(producerId, offsets)
    if (topic === this.#inputTopic) offsets.set(partition, Number(value.readBigInt64BE(2)))
  }

  #end(producerId: bigint, marker: 'abort' | 'commit' | 'other', time: number): void {
    const offsets = this.#open.get(producerId)
    this.#open.delete(producerId)
    if (offsets === undefined || marker !== 'commit') return
    let logins = 0
    for (const [partition, offset] of offsets) {
      logins += offset - (this.#positions.get(partition) ?? 0)
      this.#positions.set(partition, offset)
    }
    this.commits.push({ time, logins })
  }
}

function readKey(key: Buffer): {
  readonly group: string
  readonly topic: string
  readonly partition: number
} {
  const groupEnd = 4 + key.readInt16BE(2)
  const topicEnd = groupEnd + 2 + key.readInt16BE(groupEnd)
  return {
    group: key.toString('utf8', 4, groupEnd),
    topic: key.toString('utf8', groupEnd + 2, topicEnd),
    partition: key.readInt32BE(topicEnd),
  }
}

/** All transactions of a group whose input begins at offset 0, in the order of their markers. */
export async function readGroupCommits(
  reader: KafkaReader,
  groupId: string,
  inputTopic: string,
): Promise<readonly GroupCommit[]> {
  const ends = await reader.offsets(offsetsTopic, 'lastStable')
  const partition = offsetsPartition(groupId, ends.length)
  const starts = await reader.offsets(offsetsTopic, 'earliest')
  const group = new GroupCommits(groupId, inputTopic)
  for (let position = starts[partition] ?? 0; position < (ends[partition] ?? 0); ) {
    const { records } = await reader.fetch(offsetsTopic, partition, position, maxBytes)
    const next = await group.add(records, position)
    if (next === position) throw new Error(`Nothing can be read of ${offsetsTopic} at offset ${position}.`)
    position = next
  }
  return group.commits
}

/** As the group coordinator has it: by Java's hash of the name. */
export function offsetsPartition(groupId: string, partitions: number): number {
  let hash = 0
  for (let index = 0; index < groupId.length; index++)
    hash = (Math.imul(31, hash) + groupId.charCodeAt(index)) | 0
  return (hash === -(2 ** 31) ? 0 : Math.abs(hash)) % partitions
}
