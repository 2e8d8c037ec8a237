/**
 * The one place that says what an error code of Kafka means to the engine. The numeric code stays with the error, as its
 * cause, for the few callers that go on differently by code.
 */
import { CodedError, type ErrorCode, type ErrorDetails } from '../errors.ts'
import { kafkaError, kafkaErrorName } from './wire/wire.ts'

/** What a broker answered; the cause of the `CodedError` that `brokerError` makes. */
export class BrokerError extends Error {
  readonly kafkaCode: number

  constructor(kafkaCode: number) {
    super(kafkaErrorName(kafkaCode))
    this.name = 'BrokerError'
    this.kafkaCode = kafkaCode
  }
}

const k = kafkaError

/** A code that stands in no row is PROTOCOL_ERROR: a retry would meet it again. */
const meanings: readonly (readonly [ErrorCode, readonly number[]])[] = [
  [
    'KAFKA_RETRIABLE',
    [
      k.LEADER_NOT_AVAILABLE,
      k.NOT_LEADER_OR_FOLLOWER,
      k.BROKER_NOT_AVAILABLE,
      k.REPLICA_NOT_AVAILABLE,
      k.COORDINATOR_LOAD_IN_PROGRESS,
      k.COORDINATOR_NOT_AVAILABLE,
      k.NOT_COORDINATOR,
      k.NOT_ENOUGH_REPLICAS,
      k.NOT_CONTROLLER,
      k.CONCURRENT_TRANSACTIONS,
      k.TRANSACTION_COORDINATOR_FENCED,
      k.OPERATION_NOT_ATTEMPTED,
      k.KAFKA_STORAGE_ERROR,
      k.FENCED_LEADER_EPOCH,
      k.UNKNOWN_LEADER_EPOCH,
      k.OFFSET_NOT_AVAILABLE,
      k.UNSTABLE_OFFSET_COMMIT,
      k.LISTENER_NOT_FOUND,
      k.THROTTLING_QUOTA_EXCEEDED,
    ],
  ],
  // The request may have taken effect, in whole or in part, or the producer's view of the log is not the broker's.
  [
    'OUTCOME_UNKNOWN',
    [
      k.UNKNOWN_SERVER_ERROR,
      k.REQUEST_TIMED_OUT,
      k.NETWORK_EXCEPTION,
      k.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
      k.OUT_OF_ORDER_SEQUENCE_NUMBER,
      k.DUPLICATE_SEQUENCE_NUMBER,
      k.UNKNOWN_PRODUCER_ID,
      k.INVALID_TXN_STATE,
    ],
  ],
  ['PRODUCER_FENCED', [k.INVALID_PRODUCER_EPOCH, k.PRODUCER_FENCED, k.INVALID_PRODUCER_ID_MAPPING]],
  [
    'TASK_MIGRATED',
    [k.ILLEGAL_GENERATION, k.UNKNOWN_MEMBER_ID, k.REBALANCE_IN_PROGRESS, k.FENCED_INSTANCE_ID],
  ],
  ['GROUP_INCONSISTENT', [k.INCONSISTENT_GROUP_PROTOCOL]],
  [
    'AUTHORIZATION_FAILED',
    [
      k.TOPIC_AUTHORIZATION_FAILED,
      k.GROUP_AUTHORIZATION_FAILED,
      k.CLUSTER_AUTHORIZATION_FAILED,
      k.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    ],
  ],
  ['UNSUPPORTED_BROKER', [k.UNSUPPORTED_VERSION]],
  ['RECORD_TOO_LARGE', [k.MESSAGE_TOO_LARGE, k.RECORD_LIST_TOO_LARGE]],
  ['CORRUPT_BATCH', [k.CORRUPT_MESSAGE]],
  ['OFFSET_OUT_OF_RANGE', [k.OFFSET_OUT_OF_RANGE]],
  // Also said of a topic that was made a moment ago: callers wait for some seconds before they believe it.
  ['TOPIC_MISSING', [k.UNKNOWN_TOPIC_OR_PARTITION]],
]

const codeOf = new Map<number, ErrorCode>(
  meanings.flatMap(([code, kafkaCodes]) => kafkaCodes.map((kafkaCode) => [kafkaCode, code] as const)),
)

const hintOf = new Map<number, string>([
  [
    k.TOPIC_AUTHORIZATION_FAILED,
    'Grant this principal the operation on the topic that the message names; login-stats acls prints all that is needed.',
  ],
  [
    k.GROUP_AUTHORIZATION_FAILED,
    'Grant this principal what login-stats acls prints for the group that the message names.',
  ],
  [k.CLUSTER_AUTHORIZATION_FAILED, 'Grant this principal the operation on the cluster.'],
  [
    k.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    'Grant this principal what login-stats acls prints for the transactional id that the message names.',
  ],
  [k.INVALID_REPLICATION_FACTOR, 'Set REPLICATION_FACTOR to at most the number of brokers.'],
  [
    k.INVALID_SESSION_TIMEOUT,
    'Choose SESSION_TIMEOUT_MS between group.min.session.timeout.ms and group.max.session.timeout.ms of the broker.',
  ],
  [k.NON_EMPTY_GROUP, 'Stop all members of the group first.'],
  [k.GROUP_MAX_SIZE_REACHED, 'Raise group.max.size of the broker, or run fewer stream threads.'],
  [
    k.INVALID_TRANSACTION_TIMEOUT,
    'Raise transaction.max.timeout.ms of the broker to at least the time-out of the transactions.',
  ],
])

/** The `CodedError` for a non-zero error code in an answer. */
export function brokerError(kafkaCode: number, details: ErrorDetails): CodedError {
  const said = `Kafka answered ${kafkaErrorName(kafkaCode)}.`
  const hint = details.hint ?? hintOf.get(kafkaCode)
  return new CodedError(codeOf.get(kafkaCode) ?? 'PROTOCOL_ERROR', {
    ...details,
    detail: details.detail === undefined ? said : `${said} ${details.detail}`,
    ...(hint === undefined ? {} : { hint }),
    cause: new BrokerError(kafkaCode),
  })
}

/** The code that a broker answered, or null if the error did not come from an answer. */
export function kafkaCodeOf(error: CodedError): number | null {
  return error.details.cause instanceof BrokerError ? error.details.cause.kafkaCode : null
}

/** Whether the broker is no longer, or not yet, the coordinator that was asked for. */
export function saysOtherCoordinator(kafkaCode: number): boolean {
  return (
    kafkaCode === k.COORDINATOR_LOAD_IN_PROGRESS ||
    kafkaCode === k.COORDINATOR_NOT_AVAILABLE ||
    kafkaCode === k.NOT_COORDINATOR
  )
}
