/**
 * What the engine needs of Kafka, and nothing else. `src/kafka/` implements it on kafkajs; another client can
 * be put behind it without touching the engine.
 *
 * Offsets are numbers (exact up to 2^53). An end offset is exclusive. Timestamps are milliseconds since the
 * Unix epoch. Every call has a deadline of its own; a failure is a `CodedError` of `src/errors.ts`.
 */

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** All partitions of a topic, in order. */
export function partitionsOf(topic: string, partitionCount: number): TopicPartition[] {
  return Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition }))
}

/** A header of a record; the value may be missing. */
export type Header = readonly [name: string, value: Buffer | null]

/**
 * One record as a view over the bytes of a fetch answer. A cursor is reused: what is kept beyond the call that
 * received it must be copied.
 */
export interface RecordView {
  readonly offset: number
  readonly timestamp: number
  /** The bytes that all positions below refer to. */
  readonly bytes: Buffer
  /** First byte of the key, or -1 where the record has no key. */
  readonly keyStart: number
  readonly keyEnd: number
  /** First byte of the value, or -1 where the value is null. */
  readonly valueStart: number
  readonly valueEnd: number
  /** A view of the key, or null. Allocates. */
  key(): Buffer | null
  /** A view of the value, or null. Allocates. */
  value(): Buffer | null
  /** The decoded headers. Allocates. */
  headers(): Header[]
}

/**
 * The records of one partition out of one fetch answer that a `read_committed` reader may see, in order:
 * aborted records and control records are gone, CRCs are checked, batches are decompressed.
 */
export interface FetchedRecords {
  readonly topic: string
  readonly partition: number
  /** How many records `next` will give at the most. */
  readonly recordCount: number
  /** Bytes held in memory by this chunk. */
  readonly sizeInBytes: number
  /** Moves to the next record; the view stays valid until the following call. Null at the end. */
  next(): RecordView | null
  /** Where to read on once `next` has given null: past the last batch, even if it was empty or a marker. */
  readonly nextOffset: number
  /** The partition's last stable offset when the answer was made. */
  readonly lastStableOffset: number
  /** The partition's first offset when the answer was made. */
  readonly logStartOffset: number
}

export interface FetcherOptions {
  /** Upper bound for one answer and partition; a larger batch is still delivered alone. */
  readonly maxBytesPerPartition?: number
  /** Upper bound for one answer. */
  readonly maxBytes?: number
  /** How long the broker may hold an answer back while there is nothing new. */
  readonly maxWaitMs?: number
  /**
   * The topics are compacted, so that nothing may be left between a position and the last stable offset. Elsewhere a broker that
   * gives nothing is asked again: it may just be slow to bring the records from a remote tier.
   */
  readonly isCompacted?: boolean
}

/**
 * Reads partitions with `read_committed`, outside any group. Fetches ahead: the next answer is under way while
 * the last one is processed; a partition with an unread chunk is not fetched again before that chunk is taken, so memory
 * stays bounded.
 */
export interface Fetcher {
  /** Starts reading `partition` at `offset`, or goes on there; what was fetched ahead is dropped, and a pause is over. */
  seek(partition: TopicPartition, offset: number): void
  /** Stops reading it; what was fetched ahead is dropped. */
  remove(partition: TopicPartition): void
  pause(partition: TopicPartition): void
  resume(partition: TopicPartition): void
  /** The next chunk in order of arrival, of a partition that is not paused; null if nothing is there. */
  poll(): FetchedRecords | null
  /** Calls `listener` whenever a chunk or a failure has arrived, so that `poll` is worth a call. */
  onArrival(listener: () => void): void
  /**
   * Throws what stopped the reading of a partition for good (OFFSET_OUT_OF_RANGE, TOPIC_MISSING, CORRUPT_BATCH …), once per
   * failure; passing troubles (no leader, connection lost) are retried inside and only logged.
   */
  throwFailure(): void
  /** Last known last stable offset of the partition; null before the first answer since `seek`. */
  lastStableOffset(partition: TopicPartition): number | null
  /**
   * A moment on the monotonic clock: whatever was committed to the partition before it has been polled. Null until its end has
   * been seen once since `seek`.
   */
  currentAt(partition: TopicPartition): number | null
  /** Where the next chunk to be polled begins, or the next fetch where none is there. */
  position(partition: TopicPartition): number
  close(): Promise<void>
}

/** Records for one partition, encoded as they are appended. */
export interface RecordAppender {
  append(key: Buffer | null, value: Buffer | null, timestamp: number, headers?: readonly Header[]): void
  /**
   * As `append`, with key and value as ranges of bytes, so that no view has to be made of them. A start of -1 means null, as in
   * `RecordView`.
   */
  appendRange(
    keyBytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueBytes: Buffer,
    valueStart: number,
    valueEnd: number,
    timestamp: number,
    headers?: readonly Header[],
  ): void
  readonly recordCount: number
  readonly sizeInBytes: number
}

export interface Outgoing {
  readonly partition: TopicPartition
  readonly records: RecordAppender
}

export interface ConsumerOffset {
  readonly partition: TopicPartition
  readonly offset: number
  readonly metadata: string
}

/** Who commits offsets: proves to the broker that the partitions are still ours. */
export interface GroupIdentity {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly instanceId: string | null
}

/**
 * A transactional producer with one transaction at a time. After any failure it is dead: every call throws, and a
 * new one must be created (a sequence that the broker has seen must never be used for other records).
 *
 * Failures: PRODUCER_FENCED, TASK_MIGRATED (the group's answer to an offset commit), OUTCOME_UNKNOWN (time-out,
 * connection lost), RECORD_TOO_LARGE, AUTHORIZATION_FAILED, TOPIC_MISSING.
 */
export interface TransactionalProducer {
  /** InitProducerId: fences every older producer of this id and finishes its transaction; returns when that is done. */
  init(): Promise<void>
  /**
   * An empty appender for records to send with this client's compression. `maxBatchBytes`: what the topic takes in one batch
   * (`max.message.bytes`); a default that fits Kafka's own if absent.
   */
  appender(maxBatchBytes?: number): RecordAppender
  /**
   * Sends all, in the order of appending per partition, opening the transaction if none is open; resolves when every record is
   * acknowledged by all in-sync replicas. Returns, in the order of `outgoing`, the offset after the last record of each; -1
   * where one has no records.
   */
  send(outgoing: readonly Outgoing[]): Promise<number[]>
  /** AddOffsetsToTxn and TxnOffsetCommit. */
  sendOffsets(group: GroupIdentity, offsets: readonly ConsumerOffset[]): Promise<void>
  /** EndTxn(commit). */
  commit(): Promise<void>
  /** EndTxn(abort). */
  abort(): Promise<void>
  /** Forgets everything; sends nothing. */
  close(): void
}

export interface GroupMemberInfo {
  readonly memberId: string
  readonly instanceId: string | null
  readonly userData: Buffer
}

export interface MemberAssignment {
  readonly partitions: readonly TopicPartition[]
  readonly userData: Buffer
}

export interface GroupOptions {
  readonly groupId: string
  readonly instanceId: string | null
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Name of the group protocol, the same in all members. */
  readonly protocol: string
  /** Topics of the subscription, for Kafka's tools. */
  readonly topics: readonly string[]
  /** What this member tells the leader; asked at each join. */
  userData(): Promise<Buffer>
  /** Run by the leader: an assignment for every member, by member id. */
  assign(members: readonly GroupMemberInfo[]): Promise<ReadonlyMap<string, MemberAssignment>>
}

/**
 * A member of a consumer group. Heartbeats run on their own timer from the end of `join` until `leave`, whatever the rest of
 * the process does.
 */
export interface GroupMember {
  /**
   * Joins (or rejoins) and resolves with this member's assignment. Retries until it succeeds. Failures: MEMBER_FENCED (another
   * process has taken our instance id), AUTHORIZATION_FAILED, GROUP_INCONSISTENT. Resolves with null after `cancelJoin`.
   */
  join(): Promise<MemberAssignment | null>
  /** Makes a join under way resolve with null as soon as possible. */
  cancelJoin(): void
  /** Valid since the last `join`. */
  identity(): GroupIdentity
  /** Why `join` must be called (again), or null while the membership is good. */
  rejoinReason(): string | null
  /**
   * Whether the group has, or may have, given our partitions to others since the last `join`: the session timed out, or the group
   * no longer knew us or our generation.
   */
  wasLost(): boolean
  /** Calls `listener` when `rejoinReason` becomes non-null. */
  onRejoinNeeded(listener: () => void): void
  /** Marks the membership as in need of a join, e.g. because partitions were added. */
  requestRejoin(reason: string): void
  /** One heartbeat of the current generation, now; resolves if the group still knows us, else throws TASK_MIGRATED. */
  confirm(): Promise<void>
  /** Committed offsets that are stable (no transaction pending on them; waits for those). A missing one is null. */
  committedOffsets(partitions: readonly TopicPartition[]): Promise<(ConsumerOffset | null)[]>
  /** Stops the heartbeats; leaves the group if `leaveGroup`, else the broker keeps the place until the session time-out. */
  close(leaveGroup: boolean): Promise<void>
}

export interface TopicInfo {
  readonly name: string
  /** UUID in Kafka's base64 form; null where the broker knows no topic ids (before 2.8). */
  readonly topicId: string | null
  readonly partitionCount: number
}

export interface NewTopic {
  readonly name: string
  readonly partitionCount: number
  /** -1: the broker's own default. */
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

export interface GroupDescription {
  readonly state: string
  readonly members: readonly {
    readonly memberId: string
    readonly clientId: string
    readonly clientHost: string
    /** What the member has told the leader; empty while the group has no assignment. */
    readonly userData: Buffer
    readonly assignment: MemberAssignment
  }[]
}

export interface KafkaAdmin {
  /** Id of the cluster. Waits for the first broker to answer, telling `onWaiting` (if given) every few seconds. */
  clusterId(onWaiting?: (cause: Error, waitedMs: number) => void): Promise<string>
  /** Fresh metadata of the topics that exist; absent ones are left out. */
  topics(names: readonly string[]): Promise<ReadonlyMap<string, TopicInfo>>
  /** Creates topics; one that exists already is left as it is. Resolves when all have leaders. */
  createTopics(topics: readonly NewTopic[]): Promise<void>
  addPartitions(topic: string, partitionCount: number): Promise<void>
  deleteTopics(names: readonly string[]): Promise<void>
  /** Effective configuration of a topic, by name. */
  topicConfig(topic: string): Promise<ReadonlyMap<string, string>>
  /** First offset, high watermark (READ_UNCOMMITTED), and last stable offset of each partition, by ListOffsets; retried. */
  listOffsets(
    partitions: readonly TopicPartition[],
    which: 'earliest' | 'highWatermark' | 'lastStable',
  ): Promise<number[]>
  /** Deletes the records below the offsets. */
  deleteRecords(
    below: readonly { readonly partition: TopicPartition; readonly offset: number }[],
  ): Promise<void>
  describeGroup(groupId: string): Promise<GroupDescription>
  /** Deletes an empty group with its offsets; a group that does not exist is fine. */
  deleteGroup(groupId: string): Promise<void>
  /** What the group has committed and no pending transaction can still change; a missing one is null. */
  committedOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<(ConsumerOffset | null)[]>
  /**
   * The group's last committed offsets, to be looked at; where a transaction is pending, that before it. A missing one is null. Who goes on
   * from offsets needs the stable ones.
   */
  groupOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<(ConsumerOffset | null)[]>
}

export interface KafkaClient {
  readonly admin: KafkaAdmin
  fetcher(options?: FetcherOptions): Fetcher
  producer(options: { transactionalId: string; transactionTimeoutMs: number }): TransactionalProducer
  member(options: GroupOptions): GroupMember
  close(): Promise<void>
}
