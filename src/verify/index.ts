/** The independent recount; the oracle of the tests uses its pieces. */
export { type Counter, decodeCounter, rollingOf } from './changelog.ts'
export { type KafkaConnection, type KafkaReader, openReader } from './kafka-connection.ts'
export { type Dimension, type Login, type Rules, readLogin } from './login.ts'
export { partitionOf } from './partitioner.ts'
export { type ReadOptions, readAnswer, readCommitted, readRange } from './read-committed.ts'
export { type KafkaRecord, type RecordBatch, readBatches, readMarker, readRecords } from './record-batch.ts'
export {
  isInWindow,
  type Recount,
  type Recounted,
  type RecountOptions,
  type RecountRules,
  startRecount,
  type Window,
} from './recount.ts'
export type { Difference, InputPartition, Verdict, VerifyReport } from './report.ts'
export { type VerifyOptions, type VerifyPhase, verify } from './verify.ts'
