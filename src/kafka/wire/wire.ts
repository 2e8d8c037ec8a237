/**
 * The seam inside the Kafka port: one function that sends a request to a broker and returns its answer.
 * Above it: membership, transactions, fetching, filtering. Below it: kafkajs's connections and codecs, or a
 * simulated broker.
 *
 * Bodies are plain data in the names of the Kafka protocol; record batches stay bytes. An answer keeps its error codes: what
 * they mean is decided above.
 */

/** Error codes of the Kafka protocol that the port knows by name. */
export const kafkaError = {
  UNKNOWN_SERVER_ERROR: -1,
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  BROKER_NOT_AVAILABLE: 8,
  REPLICA_NOT_AVAILABLE: 9,
  MESSAGE_TOO_LARGE: 10,
  NETWORK_EXCEPTION: 13,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC: 17,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  UNKNOWN_MEMBER_ID: 25,
  INVALID_SESSION_TIMEOUT: 26,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  UNSUPPORTED_VERSION: 35,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  INVALID_REPLICATION_FACTOR: 38,
  NOT_CONTROLLER: 41,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  INVALID_TRANSACTION_TIMEOUT: 50,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTION_COORDINATOR_FENCED: 52,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  OPERATION_NOT_ATTEMPTED: 55,
  KAFKA_STORAGE_ERROR: 56,
  UNKNOWN_PRODUCER_ID: 59,
  NON_EMPTY_GROUP: 68,
  GROUP_ID_NOT_FOUND: 69,
  LISTENER_NOT_FOUND: 72,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  OFFSET_NOT_AVAILABLE: 78,
  MEMBER_ID_REQUIRED: 79,
  GROUP_MAX_SIZE_REACHED: 81,
  FENCED_INSTANCE_ID: 82,
  UNSTABLE_OFFSET_COMMIT: 88,
  THROTTLING_QUOTA_EXCEEDED: 89,
  PRODUCER_FENCED: 90,
  TRANSACTIONAL_ID_NOT_FOUND: 105,
} as const

const errorNames = new Map<number, string>(Object.entries(kafkaError).map(([name, code]) => [code, name]))

/** The name of an error code, for messages. */
export function kafkaErrorName(code: number): string {
  return errorNames.get(code) ?? `error code ${code}`
}

interface PartitionError {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
}

/** Every request that the port sends, with its answer. The version each is sent in stands beside it. */
export interface Apis {
  /** v10, for topic ids. `topics` null: all. Never creates a topic. */
  Metadata: {
    request: { topics: readonly string[] | null }
    answer: {
      clusterId: string | null
      controllerId: number
      brokers: { nodeId: number; host: string; port: number }[]
      topics: {
        errorCode: number
        name: string
        /** 16 bytes as base64url without padding, as Kafka prints it; null if all zero. */
        topicId: string | null
        partitions: { errorCode: number; partition: number; leaderId: number; leaderEpoch: number }[]
      }[]
    }
  }
  /** v2. keyType 0: group, 1: transaction. */
  FindCoordinator: {
    request: { key: string; keyType: 0 | 1 }
    answer: { errorCode: number; nodeId: number; host: string; port: number }
  }
  /** v5. */
  JoinGroup: {
    request: {
      groupId: string
      sessionTimeoutMs: number
      rebalanceTimeoutMs: number
      memberId: string
      instanceId: string | null
      protocolType: string
      protocols: { name: string; metadata: Buffer }[]
    }
    answer: {
      errorCode: number
      generationId: number
      protocolName: string
      leaderId: string
      memberId: string
      members: { memberId: string; instanceId: string | null; metadata: Buffer }[]
    }
  }
  /** v3. */
  SyncGroup: {
    request: {
      groupId: string
      generationId: number
      memberId: string
      instanceId: string | null
      assignments: { memberId: string; assignment: Buffer }[]
    }
    answer: { errorCode: number; assignment: Buffer }
  }
  /** v3. */
  Heartbeat: {
    request: { groupId: string; generationId: number; memberId: string; instanceId: string | null }
    answer: { errorCode: number }
  }
  /** v3. */
  LeaveGroup: {
    request: { groupId: string; members: { memberId: string; instanceId: string | null }[] }
    answer: { errorCode: number; members: { memberId: string; errorCode: number }[] }
  }
  /** v7, flexible. */
  OffsetFetch: {
    request: {
      groupId: string
      topics: { topic: string; partitions: number[] }[]
      requireStable: boolean
    }
    answer: {
      errorCode: number
      /** offset -1: none committed. */
      partitions: (PartitionError & { offset: number; metadata: string })[]
    }
  }
  /** v1. */
  InitProducerId: {
    request: { transactionalId: string; transactionTimeoutMs: number }
    answer: { errorCode: number; producerId: bigint; producerEpoch: number }
  }
  /** v1. */
  AddPartitionsToTxn: {
    request: {
      transactionalId: string
      producerId: bigint
      producerEpoch: number
      topics: { topic: string; partitions: number[] }[]
    }
    answer: { partitions: PartitionError[] }
  }
  /** v1. */
  AddOffsetsToTxn: {
    request: { transactionalId: string; producerId: bigint; producerEpoch: number; groupId: string }
    answer: { errorCode: number }
  }
  /** v3, flexible: with generation, member and instance id. */
  TxnOffsetCommit: {
    request: {
      transactionalId: string
      groupId: string
      producerId: bigint
      producerEpoch: number
      generationId: number
      memberId: string
      instanceId: string | null
      partitions: { topic: string; partition: number; offset: number; metadata: string }[]
    }
    answer: { partitions: PartitionError[] }
  }
  /** v1. */
  EndTxn: {
    request: { transactionalId: string; producerId: bigint; producerEpoch: number; commit: boolean }
    answer: { errorCode: number }
  }
  /** v7, acks=all. At most one batch per partition. */
  Produce: {
    request: {
      transactionalId: string | null
      timeoutMs: number
      partitions: { topic: string; partition: number; batch: Buffer }[]
    }
    answer: {
      partitions: (PartitionError & { baseOffset: number; logStartOffset: number })[]
    }
  }
  /** v11, read_committed, no fetch session. `records` is a view over the answer's buffer and may end in a cut-off batch. */
  Fetch: {
    request: {
      maxWaitMs: number
      minBytes: number
      maxBytes: number
      partitions: { topic: string; partition: number; offset: number; maxBytes: number }[]
    }
    answer: {
      errorCode: number
      partitions: (PartitionError & {
        highWatermark: number
        lastStableOffset: number
        logStartOffset: number
        abortedTransactions: { producerId: bigint; firstOffset: number }[]
        records: Buffer
      })[]
    }
  }
  /** v3. timestamp -2: earliest, -1: end. isolation 0: high watermark as end, 1: last stable offset. */
  ListOffsets: {
    request: { isolationLevel: 0 | 1; partitions: { topic: string; partition: number; timestamp: number }[] }
    answer: { partitions: (PartitionError & { offset: number })[] }
  }
  /** v3; to the controller. */
  CreateTopics: {
    request: {
      topics: {
        name: string
        partitionCount: number
        replicationFactor: number
        config: { name: string; value: string }[]
      }[]
      timeoutMs: number
    }
    answer: { topics: { name: string; errorCode: number; message: string | null }[] }
  }
  /** v1; to the controller. */
  CreatePartitions: {
    request: { topic: string; partitionCount: number; timeoutMs: number }
    answer: { topics: { name: string; errorCode: number; message: string | null }[] }
  }
  /** v1; to the controller. */
  DeleteTopics: {
    request: { topics: readonly string[]; timeoutMs: number }
    answer: { topics: { name: string; errorCode: number }[] }
  }
  /** v1; to the leaders. */
  DeleteRecords: {
    request: { partitions: { topic: string; partition: number; offset: number }[]; timeoutMs: number }
    answer: { partitions: PartitionError[] }
  }
  /** v2. Effective configuration of one topic. */
  DescribeConfigs: {
    request: { topic: string }
    answer: { errorCode: number; message: string | null; entries: { name: string; value: string | null }[] }
  }
  /** v2. */
  DescribeGroups: {
    request: { groupId: string }
    answer: {
      errorCode: number
      state: string
      /** Metadata and assignment are empty unless the group is stable. */
      members: {
        memberId: string
        clientId: string
        clientHost: string
        metadata: Buffer
        assignment: Buffer
      }[]
    }
  }
  /** v1. */
  DeleteGroups: {
    request: { groupId: string }
    answer: { errorCode: number }
  }
}

export type ApiName = keyof Apis

/** A broker by its id, or any of the bootstrap brokers. */
export type Target = number | 'bootstrap'

export interface SendOptions {
  /** When the answer must be here, in milliseconds from now. */
  readonly timeoutMs: number
  /**
   * Requests of one lane to one broker are answered in order, on one connection; lanes do not wait for one another. A request
   * that the broker may hold back (Fetch, JoinGroup, SyncGroup) must not share a lane with others.
   */
  readonly lane: string
}

/**
 * Failures: KAFKA_UNREACHABLE if the request certainly was not sent; OUTCOME_UNKNOWN if it may have been (time-out, connection
 * lost, answer not understood); AUTHENTICATION_FAILED; UNSUPPORTED_BROKER.
 */
export interface Wire {
  send<A extends ApiName>(
    target: Target,
    api: A,
    request: Apis[A]['request'],
    options: SendOptions,
  ): Promise<Apis[A]['answer']>
  close(): Promise<void>
}
