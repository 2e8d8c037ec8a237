/** The independent recount; the oracle of the tests uses its pieces. */
export { type Counter, decodeCounter, rollingOf } from './changelog.ts'
export { type KafkaConnection, type KafkaReader, openReader } from './kafka-connection.ts'
export { type Dimension, type Login, type Rules, readLogin } from './login.ts'
export { partitionOf } from './partitioner.ts'
export { type ReadOptions, readAnswer, readCommitted, readRange } from './read-committed.ts'
export { type KafkaRecord, type RecordBatch, readBatches, readMarker, readRecords } from './record-batch.ts'
export { isInWindow, type RecountRules, type Window } from './recount.ts'
export type {
  Difference,
  DifferenceRange,
  InputPartition,
  RecreatedTopic,
  Verdict,
  VerifyReport,
} from './report.ts'
export type { VerifyPhase } from './topic-reading.ts'
export { type Pass, type VerifyOptions, verify } from './verify.ts'
