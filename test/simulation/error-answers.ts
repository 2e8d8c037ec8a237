/** What brokers answer when something passing is wrong: to requests that were not done, and to some that were. */
import { type ApiName, type Apis, kafkaError as k } from '../../src/kafka/wire/wire.ts'
import type { SeededRandom } from './random.ts'

const coordinatorCodes = [
  k.COORDINATOR_LOAD_IN_PROGRESS,
  k.COORDINATOR_NOT_AVAILABLE,
  k.NOT_COORDINATOR,
] as const
const leaderCodes = [k.NOT_LEADER_OR_FOLLOWER, k.LEADER_NOT_AVAILABLE, k.UNKNOWN_LEADER_EPOCH] as const

/** Codes by request: where it was not done, and where it may have been. Others are never answered so. */
const codes: Partial<
  Record<ApiName, { readonly notDone: readonly number[]; readonly done: readonly number[] }>
> = {
  Produce: {
    notDone: [...leaderCodes, k.NOT_ENOUGH_REPLICAS, k.UNKNOWN_TOPIC_OR_PARTITION],
    done: [
      k.NOT_LEADER_OR_FOLLOWER,
      k.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
      k.REQUEST_TIMED_OUT,
      k.UNKNOWN_SERVER_ERROR,
    ],
  },
  Fetch: { notDone: [...leaderCodes, k.UNKNOWN_TOPIC_OR_PARTITION], done: [] },
  ListOffsets: { notDone: [...leaderCodes, k.OFFSET_NOT_AVAILABLE], done: [] },
  DeleteRecords: { notDone: leaderCodes, done: [k.REQUEST_TIMED_OUT] },
  FindCoordinator: { notDone: [k.COORDINATOR_NOT_AVAILABLE], done: [] },
  JoinGroup: { notDone: coordinatorCodes, done: coordinatorCodes },
  SyncGroup: { notDone: coordinatorCodes, done: coordinatorCodes },
  Heartbeat: { notDone: coordinatorCodes, done: coordinatorCodes },
  LeaveGroup: { notDone: coordinatorCodes, done: coordinatorCodes },
  OffsetFetch: { notDone: coordinatorCodes, done: [] },
  InitProducerId: {
    notDone: [...coordinatorCodes, k.CONCURRENT_TRANSACTIONS],
    done: coordinatorCodes,
  },
  AddPartitionsToTxn: { notDone: [...coordinatorCodes, k.CONCURRENT_TRANSACTIONS], done: coordinatorCodes },
  AddOffsetsToTxn: { notDone: [...coordinatorCodes, k.CONCURRENT_TRANSACTIONS], done: coordinatorCodes },
  TxnOffsetCommit: { notDone: coordinatorCodes, done: [...coordinatorCodes, k.REQUEST_TIMED_OUT] },
  EndTxn: { notDone: [...coordinatorCodes, k.CONCURRENT_TRANSACTIONS], done: coordinatorCodes },
}

export interface ErrorAnswer {
  readonly isDone: boolean
  answer(): unknown
}

/** An error in place of the broker's answer to this request, or null if it is never answered by one. */
export function drawErrorAnswer(random: SeededRandom, api: ApiName, request: unknown): ErrorAnswer | null {
  const known = codes[api]
  if (known === undefined) return null
  const isDone = known.done.length > 0 && random.chance(0.5)
  const errorCode = random.pick(isDone ? known.done : known.notDone)
  return { isDone, answer: () => errorAnswer(api, request, errorCode) }
}

interface PartitionsInRequest {
  readonly partitions?: readonly { readonly topic: string; readonly partition: number }[]
  readonly topics?: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

function errorAnswer(api: ApiName, request: unknown, errorCode: number): unknown {
  const { partitions, topics } = request as PartitionsInRequest
  const all =
    partitions ??
    topics?.flatMap(({ topic, partitions: list }) => list.map((partition) => ({ topic, partition })))
  const each = (all ?? []).map(({ topic, partition }) => ({ topic, partition, errorCode }))
  switch (api) {
    case 'Produce':
      return { partitions: each.map((one) => ({ ...one, baseOffset: -1, logStartOffset: -1 })) }
    case 'Fetch': {
      const nothing = { highWatermark: -1, lastStableOffset: -1, logStartOffset: -1 }
      return {
        errorCode: k.NONE,
        partitions: each.map((one) => ({
          ...one,
          ...nothing,
          abortedTransactions: [],
          records: Buffer.alloc(0),
        })),
      }
    }
    case 'ListOffsets':
      return { partitions: each.map((one) => ({ ...one, offset: -1 })) }
    case 'DeleteRecords':
    case 'AddPartitionsToTxn':
    case 'TxnOffsetCommit':
      return { partitions: each }
    case 'OffsetFetch':
      return { errorCode, partitions: [] }
    case 'JoinGroup': {
      const { memberId } = request as Apis['JoinGroup']['request']
      return { errorCode, generationId: -1, protocolName: '', leaderId: '', memberId, members: [] }
    }
    case 'SyncGroup':
      return { errorCode, assignment: Buffer.alloc(0) }
    case 'LeaveGroup':
      return { errorCode, members: [] }
    case 'InitProducerId':
      return { errorCode, producerId: -1n, producerEpoch: -1 }
    case 'FindCoordinator':
      return { errorCode, nodeId: -1, host: '', port: -1 }
    default:
      return { errorCode }
  }
}
