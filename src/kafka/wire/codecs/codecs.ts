/** The codec of every request that the port sends. */
import type { ApiName } from '../wire.ts'
import {
  createPartitionsCodec,
  createTopicsCodec,
  deleteTopicsCodec,
  describeConfigsCodec,
} from './admin-codecs.ts'
import { findCoordinatorCodec, metadataCodec } from './cluster-codecs.ts'
import type { Codec } from './codec.ts'
import {
  deleteGroupsCodec,
  describeGroupsCodec,
  heartbeatCodec,
  joinGroupCodec,
  leaveGroupCodec,
  offsetFetchCodec,
  syncGroupCodec,
} from './group-codecs.ts'
import { deleteRecordsCodec, fetchCodec, listOffsetsCodec, produceCodec } from './record-codecs.ts'
import {
  addOffsetsToTxnCodec,
  addPartitionsToTxnCodec,
  endTxnCodec,
  initProducerIdCodec,
  txnOffsetCommitCodec,
} from './transaction-codecs.ts'

export const codecs: { readonly [A in ApiName]: Codec<A> } = {
  Metadata: metadataCodec,
  FindCoordinator: findCoordinatorCodec,
  JoinGroup: joinGroupCodec,
  SyncGroup: syncGroupCodec,
  Heartbeat: heartbeatCodec,
  LeaveGroup: leaveGroupCodec,
  OffsetFetch: offsetFetchCodec,
  InitProducerId: initProducerIdCodec,
  AddPartitionsToTxn: addPartitionsToTxnCodec,
  AddOffsetsToTxn: addOffsetsToTxnCodec,
  TxnOffsetCommit: txnOffsetCommitCodec,
  EndTxn: endTxnCodec,
  Produce: produceCodec,
  Fetch: fetchCodec,
  ListOffsets: listOffsetsCodec,
  CreateTopics: createTopicsCodec,
  CreatePartitions: createPartitionsCodec,
  DeleteTopics: deleteTopicsCodec,
  DeleteRecords: deleteRecordsCodec,
  DescribeConfigs: describeConfigsCodec,
  DescribeGroups: describeGroupsCodec,
  DeleteGroups: deleteGroupsCodec,
}
