import { CodedError } from '../../errors.ts'
import type { GroupMember, KafkaClient, TransactionalProducer } from '../../ports/kafka.ts'
import type { TransactionOutcome } from './transactions.ts'

/** What transactions are made with. */
export interface TransactionsOptions {
  readonly kafka: KafkaClient
  readonly member: GroupMember
  readonly transactionTimeoutMs: number
  /** Told of each transaction, once it has ended. */
  ended(outcome: TransactionOutcome): void
}

/**
 * A new producer of a transactional id, which has fenced all before it and finished their transactions. Throws TASK_MIGRATED, and
 * fences nobody, if the group has given our tasks away.
 */
export async function fencedProducer(
  { kafka, member, transactionTimeoutMs }: TransactionsOptions,
  transactionalId: string,
): Promise<TransactionalProducer> {
  // A process may have stood still for longer than the session since it was given the task.
  if (member.wasLost()) {
    throw new CodedError('TASK_MIGRATED', { operation: 'fence the old owner', detail: transactionalId })
  }
  const producer = kafka.producer({ transactionalId, transactionTimeoutMs })
  await producer.init()
  return producer
}
