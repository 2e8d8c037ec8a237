/** What applications may use of the engine. */
export type { Aggregate } from './aggregate/aggregate.ts'
export { AggregateProcessor, stateOfEntry, timerIndex } from './aggregate/aggregate-processor.ts'
export { Combiner, type Fold } from './aggregate/combiner.ts'
export { DeltaTable } from './aggregate/delta-table.ts'
export { readPartition } from './changelog/partition-reader.ts'
export { type MemberView, viewMembers } from './rebalance/group-view.ts'
export {
  type CommitFacts,
  type CommitStep,
  type EngineObserver,
  observers,
  type RestoreProgress,
  type TakeOverStep,
} from './runtime/engine-observer.ts'
export type { Fingerprint } from './runtime/fingerprint.ts'
export type { RestoreStatus } from './runtime/restore-watch.ts'
export {
  type LocalState,
  type StoreQuery,
  Streams,
  type StreamsOptions,
} from './runtime/streams.ts'
export type { TaskStatus } from './runtime/task-status.ts'
export { newTopic, setUpTopics, topicNames } from './runtime/topic-setup.ts'
export { type MemberSlot, SlotStores, StateDirectory } from './state-directory.ts'
export { StoreKey } from './store/store-key.ts'
export type { StateStore, StateStoreReader, WipeReason } from './store/types.ts'
export type { OffsetLostPolicy, TaskSettings } from './task/task-environment.ts'
export type { TaskState } from './task/task-state.ts'
export { StreamThreads } from './threads/stream-threads.ts'
export { type OpenThread, runInThread } from './threads/thread-body.ts'
export type {
  FlushReason,
  Processor,
  ProcessorContext,
  ProcessorSupplier,
  SinkHandle,
  SourcePosition,
} from './topology/processor.ts'
export { describe, type Topology, TopologyBuilder } from './topology/topology.ts'
export type { TransactionOutcome, TransactionScope } from './transactions/transactions.ts'
