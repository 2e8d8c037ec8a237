/**
 * Operations at the seam of requests and answers, as data: what is asked, by whom, and how rightly. Names and ids are roles,
 * which each broker fills with its own.
 */
import fc from 'fast-check'

/** Somebody who has, or had, a transactional id. */
export interface ProducerRole {
  /** Which transactional id. */
  readonly id: number
  /** Which epoch: 0 the newest, 1 the one before it, -1 one that nobody has been given yet. */
  readonly age: number
}

/** As whom a member speaks: under its own id, none, the one of its former life, or an invented one. */
export type Speaker = 'itself' | 'new' | 'former' | 'stranger'

export interface MemberRole {
  readonly slot: number
  readonly as: Speaker
  /** Added to the generation that it knows. */
  readonly generation: number
}

export type SequenceKind = 'next' | 'again' | 'first' | 'gap' | 'zero'

export type Command =
  | { readonly op: 'FindCoordinator'; readonly keyType: 0 | 1 }
  | { readonly op: 'InitProducerId'; readonly id: number; readonly timeoutMs: number }
  | { readonly op: 'AddPartitionsToTxn'; readonly by: ProducerRole; readonly partitions: readonly number[] }
  | { readonly op: 'AddOffsetsToTxn'; readonly by: ProducerRole }
  | {
      readonly op: 'TxnOffsetCommit'
      readonly by: ProducerRole
      readonly from: MemberRole | null
      readonly partitions: readonly number[]
      readonly offset: number
    }
  | {
      readonly op: 'Produce'
      /** null: a batch of no producer. */
      readonly by: ProducerRole | null
      readonly partitions: readonly number[]
      /** AddPartitionsToTxn goes before it. */
      readonly adds: boolean
      readonly sequence: SequenceKind
      readonly records: number
      readonly bytes: number
      readonly damage: 'none' | 'checksum' | 'too large'
    }
  | { readonly op: 'EndTxn'; readonly by: ProducerRole; readonly commit: boolean }
  | {
      readonly op: 'Fetch'
      readonly partitions: readonly number[]
      /** Back from the last stable offset. */
      readonly back: number
      readonly maxBytes: number
      readonly partitionMaxBytes: number
      /** Asked and not waited for: it is answered when there is something. */
      readonly isHeld: boolean
    }
  | {
      readonly op: 'ListOffsets'
      readonly partitions: readonly number[]
      readonly isolationLevel: 0 | 1
      readonly timestamp: -1 | -2
    }
  | { readonly op: 'DeleteRecords'; readonly partition: number; readonly offset: number }
  | { readonly op: 'OffsetFetch'; readonly partitions: readonly number[]; readonly requireStable: boolean }
  | { readonly op: 'Metadata'; readonly topics: readonly number[] }
  | { readonly op: 'CreateTopics'; readonly topic: number; readonly count: number; readonly replicas: number }
  | { readonly op: 'CreatePartitions'; readonly topic: number; readonly count: number }
  | { readonly op: 'DeleteTopics'; readonly topic: number }
  | {
      readonly op: 'JoinGroup'
      readonly slot: number
      readonly as: Speaker
      readonly metadata: number
      readonly protocol: string
    }
  | { readonly op: 'SyncGroup'; readonly from: MemberRole }
  | { readonly op: 'Heartbeat'; readonly from: MemberRole }
  | {
      readonly op: 'LeaveGroup'
      readonly members: readonly { readonly slot: number; readonly as: Speaker }[]
    }
  /** Every member joins again, and then asks for its part. */
  | { readonly op: 'Rebalance' }
  | { readonly op: 'DescribeGroups' }
  | { readonly op: 'DeleteGroups' }

/** Topics 0 and 1 are there from the start, with 2 partitions and 1; topic 2 is not. */
export const topicCount = 3
/** Where records go: some of these are there from the start, some may come and go. */
export const partitionRoles: readonly { readonly topic: number; readonly partition: number }[] = [
  { topic: 0, partition: 0 },
  { topic: 0, partition: 1 },
  { topic: 1, partition: 0 },
  { topic: 0, partition: 2 },
  { topic: 2, partition: 0 },
]
/** The first two have an instance id. */
export const slotCount = 4
export const staticSlots = 2

/** The first `likely` choices come up in nine of ten cases. */
function mostly<T>(likely: readonly T[], rare: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...likely) },
    { weight: 1, arbitrary: fc.constantFrom(...rare) },
  )
}

const producerRole: fc.Arbitrary<ProducerRole> = fc.record({
  id: mostly([0, 0, 0, 1, 1], [2]),
  age: mostly([0], [0, 1, 1, 2, -1]),
})
const partition = mostly([0, 0, 0, 1, 2], [3, 4])
const partitions = fc
  .uniqueArray(partition, { minLength: 1, maxLength: 2 })
  .map((list) => list.toSorted((a, b) => a - b))
const slot = fc.nat(slotCount - 1)
const memberRole: fc.Arbitrary<MemberRole> = fc.record({
  slot,
  as: mostly<Speaker>(['itself'], ['new', 'former', 'stranger']),
  generation: mostly([0], [-1, 1]),
})
const topic = mostly([2, 2, 0], [0, 1])

type Arbitraries = { readonly [Op in Command['op']]: fc.Arbitrary<Extract<Command, { op: Op }>> }

const arbitraries: Arbitraries = {
  FindCoordinator: fc.record({ op: fc.constant('FindCoordinator'), keyType: fc.constantFrom(0, 1) }),
  InitProducerId: fc.record({
    op: fc.constant('InitProducerId'),
    id: mostly([0, 1], [2]),
    timeoutMs: mostly([60_000], [0, 10_000_000]),
  }),
  AddPartitionsToTxn: fc.record({ op: fc.constant('AddPartitionsToTxn'), by: producerRole, partitions }),
  AddOffsetsToTxn: fc.record({ op: fc.constant('AddOffsetsToTxn'), by: producerRole }),
  TxnOffsetCommit: fc.record({
    op: fc.constant('TxnOffsetCommit'),
    by: producerRole,
    from: fc.option(memberRole, { freq: 3 }),
    partitions,
    offset: fc.nat(1000),
  }),
  Produce: fc.record({
    op: fc.constant('Produce'),
    by: fc.option(producerRole, { freq: 8 }),
    partitions,
    adds: mostly([true], [false]),
    sequence: mostly<SequenceKind>(['next', 'next', 'next', 'next', 'again'], ['first', 'gap', 'zero']),
    records: fc.integer({ min: 1, max: 3 }),
    bytes: fc.constantFrom(3, 40, 300, 3000),
    damage: mostly<'none' | 'checksum' | 'too large'>(['none'], ['none', 'checksum', 'too large']),
  }),
  EndTxn: fc.record({ op: fc.constant('EndTxn'), by: producerRole, commit: fc.boolean() }),
  Fetch: fc.record({
    op: fc.constant('Fetch'),
    partitions,
    back: mostly([20, 20, 0, 1, 2, 3, 5, 8], [-1, -5, 100]),
    maxBytes: mostly([1_000_000], [1, 100, 500]),
    partitionMaxBytes: mostly([1_000_000, 1_000_000, 400], [1, 70, 100, 200]),
    isHeld: mostly([false, false, false, true], [true]),
  }),
  ListOffsets: fc.record({
    op: fc.constant('ListOffsets'),
    partitions,
    isolationLevel: fc.constantFrom(0, 1),
    timestamp: fc.constantFrom(-1, -2),
  }),
  DeleteRecords: fc.record({
    op: fc.constant('DeleteRecords'),
    partition,
    offset: mostly([-1, 0, 1, 2, 3, 4, 6], [-2, 10, 1000]),
  }),
  OffsetFetch: fc.record({ op: fc.constant('OffsetFetch'), partitions, requireStable: fc.boolean() }),
  Metadata: fc.record({
    op: fc.constant('Metadata'),
    topics: fc.uniqueArray(fc.nat(topicCount - 1), { minLength: 1, maxLength: 3 }),
  }),
  CreateTopics: fc.record({
    op: fc.constant('CreateTopics'),
    topic,
    count: mostly([1, 1, 2], [0]),
    replicas: mostly([1, -1], [3]),
  }),
  CreatePartitions: fc.record({
    op: fc.constant('CreatePartitions'),
    topic,
    count: fc.integer({ min: 1, max: 3 }),
  }),
  DeleteTopics: fc.record({ op: fc.constant('DeleteTopics'), topic: mostly([2], [0, 1]) }),
  JoinGroup: fc.record({
    op: fc.constant('JoinGroup'),
    slot,
    as: mostly<Speaker>(['itself', 'itself', 'itself', 'new'], ['former', 'stranger']),
    metadata: mostly([0], [1]),
    protocol: mostly(['p'], ['p', 'q']),
  }),
  SyncGroup: fc.record({ op: fc.constant('SyncGroup'), from: memberRole }),
  Heartbeat: fc.record({ op: fc.constant('Heartbeat'), from: memberRole }),
  LeaveGroup: fc.record({
    op: fc.constant('LeaveGroup'),
    members: fc.array(
      fc.record({ slot, as: mostly<Speaker>(['itself', 'itself', 'new'], ['former', 'stranger']) }),
      { minLength: 1, maxLength: 2 },
    ),
  }),
  Rebalance: fc.record({ op: fc.constant('Rebalance') }),
  DescribeGroups: fc.record({ op: fc.constant('DescribeGroups') }),
  DeleteGroups: fc.record({ op: fc.constant('DeleteGroups') }),
}

type Weights = Readonly<Partial<Record<Command['op'], number>>>

const onTransactions: Weights = {
  FindCoordinator: 1,
  InitProducerId: 5,
  AddPartitionsToTxn: 3,
  AddOffsetsToTxn: 3,
  TxnOffsetCommit: 4,
  Produce: 30,
  EndTxn: 14,
  Fetch: 14,
  ListOffsets: 6,
  DeleteRecords: 2,
  OffsetFetch: 4,
}
const onTopics: Weights = {
  Metadata: 4,
  CreateTopics: 4,
  CreatePartitions: 3,
  DeleteTopics: 3,
}
const onGroups: Weights = {
  JoinGroup: 14,
  SyncGroup: 10,
  Heartbeat: 8,
  LeaveGroup: 4,
  Rebalance: 6,
  DescribeGroups: 4,
  DeleteGroups: 1,
}
const onOffsets: Weights = {
  JoinGroup: 4,
  Rebalance: 6,
  LeaveGroup: 1,
  DeleteGroups: 1,
  InitProducerId: 3,
  AddOffsetsToTxn: 8,
  TxnOffsetCommit: 14,
  EndTxn: 10,
  OffsetFetch: 10,
}

function sequenceOf(weights: Weights): fc.Arbitrary<readonly Command[]> {
  const weighted = (Object.entries(weights) as [Command['op'], number][]).map(([op, weight]) => ({
    weight,
    arbitrary: arbitraries[op] as fc.Arbitrary<Command>,
  }))
  return fc.array(fc.oneof(...weighted), { minLength: 10, maxLength: 40, size: 'max' })
}

/** Most are of one matter, so that something comes of it; some are of all. */
export const sequences: fc.Arbitrary<readonly Command[]> = fc.oneof(
  { weight: 5, arbitrary: sequenceOf(onTransactions) },
  { weight: 3, arbitrary: sequenceOf(onGroups) },
  { weight: 2, arbitrary: sequenceOf(onOffsets) },
  { weight: 1, arbitrary: sequenceOf({ ...onTransactions, ...onTopics }) },
  { weight: 1, arbitrary: sequenceOf({ ...onTransactions, ...onTopics, ...onGroups }) },
)
