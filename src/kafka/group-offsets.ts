/** A group's committed offsets that no pending transaction can still change. */
import { CodedError } from '../errors.ts'
import type { ConsumerOffset, TopicPartition } from '../ports/kafka.ts'
import { brokerError } from './broker-errors.ts'
import { groupKey, requestTimeoutMs } from './cluster.ts'
import { byTopic, type PortContext, partitionKey } from './context.ts'
import { controlLane } from './lanes.ts'
import { retry } from './retry.ts'
import { kafkaError } from './wire/wire.ts'

/** Longer than any transaction lasts: the broker ends one that is forgotten, and then its offsets are stable. */
const offsetsDeadlineMs = 45_000
/**
 * Offsets that have been unstable for so long without a break belong to a transaction whose marker is lost. Nobody can still write
 * them; and a transaction that a dead owner has left is ended after its time-out of 10 s, for which the broker looks every 10 s.
 */
const hangingMs = 35_000

/**
 * OffsetFetch with requireStable, in the order of `partitions`; null where nothing is committed. Waits while a transaction
 * that has written offsets is pending: until it ends, the broker would give the old value. TRANSACTION_HANGING where it does not.
 */
export async function stableOffsets(
  context: PortContext,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<(ConsumerOffset | null)[]> {
  return await committedOffsets(context, groupId, partitions, true)
}

/** The same, and where a transaction is pending the offset before it, at once: to be looked at, never to go on from. */
export async function lastOffsets(
  context: PortContext,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<(ConsumerOffset | null)[]> {
  return await committedOffsets(context, groupId, partitions, false)
}

async function committedOffsets(
  context: PortContext,
  groupId: string,
  partitions: readonly TopicPartition[],
  requireStable: boolean,
): Promise<(ConsumerOffset | null)[]> {
  if (partitions.length === 0) return []
  const group = groupKey(groupId)
  const operation = 'OffsetFetch'
  const deadline = context.clock.monotonic() + offsetsDeadlineMs
  let unstableSince: number | null = null
  return await retry(context, { deadline, idempotent: true }, async (remainingMs) => {
    // Anything but another "unstable" starts the time anew.
    const since = unstableSince ?? context.clock.monotonic()
    unstableSince = null
    const answer = await context.cluster.toCoordinator(
      group,
      operation,
      { groupId, topics: byTopic(partitions), requireStable },
      { timeoutMs: Math.min(remainingMs, requestTimeoutMs), lane: controlLane },
    )
    if (answer.errorCode !== kafkaError.NONE) {
      throw context.cluster.coordinatorError(group, answer.errorCode, operation)
    }
    const committed = new Map<string, ConsumerOffset | null>()
    for (const { topic, partition, errorCode, offset, metadata } of answer.partitions) {
      if (errorCode === kafkaError.UNSTABLE_OFFSET_COMMIT) {
        if (context.clock.monotonic() - since >= hangingMs) throw hanging({ topic, partition })
        unstableSince = since
      }
      if (errorCode !== kafkaError.NONE) throw brokerError(errorCode, { operation, topic, partition })
      committed.set(
        partitionKey({ topic, partition }),
        offset < 0 ? null : { partition: { topic, partition }, offset, metadata },
      )
    }
    return partitions.map((partition) => {
      const found = committed.get(partitionKey(partition))
      if (found === undefined) throw missingInAnswer(operation, partition)
      return found
    })
  })
}

function hanging(place: TopicPartition): CodedError {
  return new CodedError('TRANSACTION_HANGING', {
    operation: 'OffsetFetch',
    ...place,
    detail: 'The committed offset belongs to a transaction that must have ended, and stays open.',
  })
}

/** An answer that leaves out what was asked for: asked again where that is safe. */
export function missingInAnswer(operation: string, { topic, partition }: TopicPartition) {
  return brokerError(kafkaError.UNKNOWN_SERVER_ERROR, {
    operation,
    topic,
    partition,
    detail: 'The answer leaves the partition out.',
  })
}
