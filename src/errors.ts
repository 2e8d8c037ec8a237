/**
 * The one table of errors. Each code says what the engine does with it, what usually causes it, and what the
 * person who reads it should do. `docs/ERRORS.md` explains each code; a test holds the two together.
 *
 * Behaviours:
 *   retry             the same call again after a back-off
 *   abort             the transaction's outcome is open or lost: new producer, back to the committed state
 *   rejoin            the task or the membership is no longer ours: drop what is uncommitted, join the group again
 *   skip              this record goes to the dead-letter topic
 *   wipe-and-restore  the local store cannot be proved right: delete it, restore from the changelog
 *   stop              the process cannot keep its promise: one message, exit non-zero
 */
export type Behaviour = 'retry' | 'abort' | 'rejoin' | 'skip' | 'wipe-and-restore' | 'stop'

interface ErrorRow {
  readonly behaviour: Behaviour
  readonly cause: string
  readonly hint: string
}

export const errorTable = {
  // Kafka, passing
  KAFKA_UNREACHABLE: {
    behaviour: 'retry',
    cause: 'No connection to a broker could be made; nothing was sent.',
    hint: 'Check KAFKA_BROKERS and that Kafka is up. The processor waits and goes on by itself.',
  },
  KAFKA_RETRIABLE: {
    behaviour: 'retry',
    cause: 'The broker answered with a passing error, such as a leader that is being elected.',
    hint: 'Nothing to do, unless it lasts: then look at the health of the brokers.',
  },
  OUTCOME_UNKNOWN: {
    behaviour: 'abort',
    cause: 'A request was sent and its answer did not arrive in time, or was not understood.',
    hint: 'Nothing to do: the task goes back to its last committed state, which decides what happened.',
  },
  // Ownership
  PRODUCER_FENCED: {
    behaviour: 'rejoin',
    cause: 'A newer producer has taken the transactional id, or the transaction timed out.',
    hint: 'Nothing to do: another instance owns the task, or this one will get it back.',
  },
  TASK_MIGRATED: {
    behaviour: 'rejoin',
    cause: 'The group no longer knows this member or generation.',
    hint: 'Nothing to do, unless it is frequent: then raise SESSION_TIMEOUT_MS or give the process more CPU.',
  },
  MEMBER_FENCED: {
    behaviour: 'stop',
    cause: 'Another process has joined the group with the instance id of this one.',
    hint: 'Do not copy a state directory: each slot belongs to one process at a time.',
  },
  GROUP_INCONSISTENT: {
    behaviour: 'stop',
    cause: 'The consumer group is in use by members with another protocol.',
    hint: 'Choose an APP_ID that no other kind of consumer uses as its group id.',
  },
  // Kafka, lasting
  AUTHORIZATION_FAILED: {
    behaviour: 'stop',
    cause: 'The broker refused an operation for lack of rights.',
    hint: 'Grant the rights that the message names to this principal; login-stats acls prints all that are needed.',
  },
  AUTHENTICATION_FAILED: {
    behaviour: 'stop',
    cause: 'The broker refused the credentials, or the TLS handshake failed.',
    hint: 'Check the KAFKA_SASL_* and KAFKA_SSL_* settings.',
  },
  UNSUPPORTED_BROKER: {
    behaviour: 'stop',
    cause: 'The broker does not speak a version of the protocol that is needed.',
    hint: 'Use Apache Kafka 3.0 to 4.3.',
  },
  PROTOCOL_ERROR: {
    behaviour: 'stop',
    cause: 'The broker answered with an error that no retry can mend.',
    hint: "Look up the broker's error in its log, at the time of this message.",
  },
  RECORD_TOO_LARGE: {
    behaviour: 'stop',
    cause: 'A record is larger than the topic accepts.',
    hint: 'Raise max.message.bytes of the topic that the message names.',
  },
  CORRUPT_BATCH: {
    behaviour: 'stop',
    cause: 'A record batch does not match its checksum or cannot be decoded.',
    hint: "Check the broker's disk; kafka-dump-log shows the batch at the offset that the message names.",
  },
  OFFSET_OUT_OF_RANGE: {
    behaviour: 'stop',
    cause: 'The records at the position to read from no longer exist: retention has deleted them unread.',
    hint: 'Raise the retention of the topic. To go on without the lost records: reset, or a new APP_ID.',
  },
  TRANSACTION_HANGING: {
    behaviour: 'stop',
    cause:
      'A transaction stays open that must have ended, so that a changelog or the committed offsets cannot be read to their end.',
    hint: "Find the transaction with Kafka's own kafka-transactions.sh find-hanging, and end it with its abort.",
  },
  // Topics and identity
  TOPIC_MISSING: {
    behaviour: 'stop',
    cause: 'A topic that must exist does not.',
    hint: 'Make it (login-stats topics create), or correct its name in the configuration.',
  },
  TOPIC_MISMATCH: {
    behaviour: 'stop',
    cause: 'An existing topic has the wrong partition count or clean-up policy.',
    hint: 'Change the topic as the message says, or name another one in the configuration.',
  },
  TOPIC_RECREATED: {
    behaviour: 'stop',
    cause:
      'A topic was deleted and made again since its records were counted; its offsets mean other records now.',
    hint: 'Start over (login-stats reset), or count the new topic under a new APP_ID.',
  },
  OFFSET_LOST: {
    behaviour: 'stop',
    cause: 'The group has no committed offset for a partition that has been counted before.',
    hint: 'Offsets expire when a group has no members for offsets.retention.minutes. Start over (login-stats reset), or choose OFFSET_LOST=earliest or latest and accept the error in the counts.',
  },
  OFFSET_MISMATCH: {
    behaviour: 'stop',
    cause:
      'The committed offset is not the one up to which the state has counted; something else has moved it.',
    hint: 'Put the offset back to the one that the message names, or start over (login-stats reset).',
  },
  FINGERPRINT_MISMATCH: {
    behaviour: 'stop',
    cause: 'A setting that shapes the state differs from the one the state was made with.',
    hint: 'Put the setting back, start over (login-stats reset), or use a new APP_ID.',
  },
  FORMAT_TOO_NEW: {
    behaviour: 'stop',
    cause: 'The state was written by a newer version of this program.',
    hint: 'Run the newer version.',
  },
  // Local state
  STORE_DAMAGED: {
    behaviour: 'wipe-and-restore',
    cause: 'The local store does not prove to be what was written to it.',
    hint: 'Nothing to do: it is rebuilt from the changelog. If it happens again, check the disk.',
  },
  STORE_WRITE_FAILED: {
    behaviour: 'stop',
    cause: 'The local store could not be written.',
    hint: 'Free space on the disk of STATE_DIR and check its health; the next start restores what is missing.',
  },
  STATE_DIR_UNUSABLE: {
    behaviour: 'stop',
    cause: 'The state directory cannot be created or written.',
    hint: 'Point STATE_DIR to a directory that this user may write.',
  },
  STATE_DIR_IN_USE: {
    behaviour: 'stop',
    cause: 'Another process holds the store.',
    hint: 'End the other process, or use another STATE_DIR.',
  },
  GROUP_ACTIVE: {
    behaviour: 'stop',
    cause: 'The consumer group still has members.',
    hint: 'Stop every instance first. One that was killed is a member until its session times out (SESSION_TIMEOUT_MS).',
  },
  // Process
  CONFIG_INVALID: {
    behaviour: 'stop',
    cause: 'One or more settings are wrong.',
    hint: 'Correct the settings that the message lists; login-stats config shows the effective ones.',
  },
  OUTPUT_FAILED: {
    behaviour: 'stop',
    cause: 'Standard output could not be written.',
    hint: 'Free space on the disk that it goes to, or send it elsewhere; what has been printed is not complete.',
  },
  HTTP_PORT_IN_USE: {
    behaviour: 'stop',
    cause: 'Another process listens on HTTP_PORT.',
    hint: 'Choose another HTTP_PORT; 0 takes a free one, and empty none.',
  },
  NOT_STARTED: {
    behaviour: 'retry',
    cause: 'The process has only just been started, and has nothing to tell yet.',
    hint: 'Ask again in a moment.',
  },
  TABLE_NOT_READ: {
    behaviour: 'retry',
    cause:
      'The table has not been read to its end yet, or no more, where the process ends: an answer would be incomplete.',
    hint: 'Ask again in a moment. Where it lasts, look in the log for why the table cannot be read.',
  },
  TABLE_BUSY: {
    behaviour: 'retry',
    cause:
      'As many questions that look at all rows of the table are under way, or wait, as this instance takes.',
    hint: 'Ask again in a moment, or another instance. Ask for single rows by their key, or follow the events.',
  },
  TOO_MANY_CLIENTS: {
    behaviour: 'retry',
    cause: 'As many clients follow the events of this instance as it takes.',
    hint: 'Close some of them, or follow another instance.',
  },
  STALLED: {
    behaviour: 'stop',
    cause:
      'A stream thread has made no progress for MAX_STALL_MS, or a part of the process has not closed in time.',
    hint: 'Look at the log before this message for what it was waiting for.',
  },
  KAFKAJS_CHANGED: {
    behaviour: 'stop',
    cause: 'The installed kafkajs is not the one that the Kafka port was written against.',
    hint: 'Install with npm ci, so that exactly the pinned version is there.',
  },
  LOCAL_KAFKA_UNAVAILABLE: {
    behaviour: 'stop',
    cause: 'No local Kafka could be started.',
    hint: 'Install Docker, or Java 17 and Maven, or name a running Kafka in KAFKA_BROKERS.',
  },
  TOPOLOGY_INVALID: {
    behaviour: 'stop',
    cause: 'The topology does not describe a processor that can run.',
    hint: 'Correct the topology as the message says.',
  },
  INTERNAL: {
    behaviour: 'stop',
    cause: 'The program has met a state that it takes for impossible.',
    hint: 'Report it with the whole message and the log before it.',
  },
  // Records that cannot be counted (the codes stand in the header `error` of the dead-letter topic)
  NOT_JSON: {
    behaviour: 'skip',
    cause: 'The value is not a JSON object in UTF-8.',
    hint: 'Correct the producer of the record.',
  },
  USER_ID_INVALID: {
    behaviour: 'skip',
    cause: 'user_id is missing, empty or not a string.',
    hint: 'Correct the producer of the record.',
  },
  TIMESTAMP_INVALID: {
    behaviour: 'skip',
    cause: 'timestamp is missing or not a number of seconds.',
    hint: 'Correct the producer of the record.',
  },
  TIMESTAMP_OUT_OF_RANGE: {
    behaviour: 'skip',
    cause: 'timestamp is before 2000-01-01, or later than the record itself by more than MAX_CLOCK_SKEW.',
    hint: 'Correct the clock of the producer, or raise MAX_CLOCK_SKEW.',
  },
  FIELD_INVALID: {
    behaviour: 'skip',
    cause: 'A counted field is not a string, or is longer than 256 bytes.',
    hint: 'Correct the producer of the record.',
  },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof errorTable

/** Where something failed. What is known is given; nothing personal ever stands here. */
export interface ErrorPlace {
  readonly task?: string
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  readonly broker?: string
  readonly path?: string
}

export interface ErrorDetails extends ErrorPlace {
  /** What was being done, e.g. "EndTxn". */
  readonly operation: string
  /** What exactly happened, in one sentence without the cause and hint of the table. */
  readonly detail?: string
  /** Takes the place of the table's hint where more is known. */
  readonly hint?: string
  readonly cause?: unknown
}

/** The one error class of the project. `message` holds operation, place, detail and hint, in one line. */
export class CodedError extends Error {
  readonly code: ErrorCode
  readonly behaviour: Behaviour
  readonly hint: string
  readonly details: ErrorDetails

  constructor(code: ErrorCode, details: ErrorDetails) {
    const row = errorTable[code]
    const { operation, detail, hint, cause, ...place } = details
    const where = Object.entries(place)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
    const hintText = hint ?? row.hint
    super(
      `${code}: ${operation}${where === '' ? '' : ` (${where})`}: ${detail ?? row.cause} Hint: ${hintText}`,
      cause === undefined ? undefined : { cause },
    )
    this.name = 'CodedError'
    this.code = code
    this.behaviour = row.behaviour
    this.hint = hintText
    this.details = details
  }
}

/** `error` itself if it has a code, else INTERNAL around it. */
export function coded(error: unknown, operation: string, place: ErrorPlace = {}): CodedError {
  if (error instanceof CodedError) return error
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new CodedError('INTERNAL', { operation, ...place, detail, cause: error })
}
