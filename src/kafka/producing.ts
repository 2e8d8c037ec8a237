/**
 * Brings record batches to the leaders of their partitions, in order and with nothing lost or doubled:
 *
 *   1. Of each partition one batch at a time is on its way; the next one follows when that one is acknowledged.
 *   2. A batch is sent again only after an answer, or where it certainly was not sent, and then byte for byte with the same
 *      sequence: a leader that has it already (its old leader said "not leader" after appending) acknowledges without writing.
 *   3. Anything else ends the transaction: what the log holds is then for the next producer to find out.
 */
import { CodedError, coded } from '../errors.ts'
import type { TopicPartition } from '../ports/kafka.ts'
import { brokerError } from './broker-errors.ts'
import { type PortContext, partitionKey } from './context.ts'
import { missingInAnswer } from './group-offsets.ts'
import { remainingMs, retry } from './retry.ts'
import { kafkaError } from './wire/wire.ts'

/** Upper bound for the batches of one request, unless the first is larger. */
const maxRequestBytes = 8 * 1024 * 1024

/** What is left to send to one partition. */
export interface BatchQueue extends TopicPartition {
  readonly batches: readonly Buffer[]
  /** Told the offset of the first record of `batches[index]`. */
  acknowledged(index: number, baseOffset: number): void
}

export interface ProduceOptions {
  readonly transactionalId: string
  readonly lane: string
  /** When to give up, on the monotonic clock. */
  readonly deadline: number
}

interface Sending {
  readonly queue: BatchQueue
  readonly topic: string
  readonly partition: number
  next: number
}

/** Resolves when every batch is acknowledged by all in-sync replicas. */
export async function produceAll(
  context: PortContext,
  options: ProduceOptions,
  queues: readonly BatchQueue[],
): Promise<void> {
  let open: Sending[] = queues.map((queue) => ({
    queue,
    topic: queue.topic,
    partition: queue.partition,
    next: 0,
  }))
  while (open.length > 0) {
    await retry(context, { deadline: options.deadline }, () => {
      open = open.filter((sending) => sending.next < sending.queue.batches.length)
      return round(context, options, open)
    })
    open = open.filter((sending) => sending.next < sending.queue.batches.length)
  }
}

/** One request to each leader. Throws the gravest failure; what was acknowledged stays so. */
async function round(context: PortContext, options: ProduceOptions, open: readonly Sending[]): Promise<void> {
  const groups = await context.cluster.byLeader(open, remainingMs(context.clock, options.deadline))
  const requests = [...groups].map(([nodeId, group]) => produce(context, options, nodeId, group))
  const failures = (await Promise.all(requests)).flat()
  const gravest = failures.find((failure) => !isPassing(failure)) ?? failures[0]
  if (gravest !== undefined) throw gravest
}

function isPassing(failure: CodedError): boolean {
  return failure.behaviour === 'retry' || failure.code === 'TOPIC_MISSING'
}

async function produce(
  context: PortContext,
  options: ProduceOptions,
  nodeId: number,
  group: readonly Sending[],
): Promise<CodedError[]> {
  const chosen = withinRequest(group)
  const partitions = chosen.map(({ topic, partition, queue, next }) => ({
    topic,
    partition,
    batch: queue.batches[next] ?? Buffer.alloc(0),
  }))
  const timeoutMs = remainingMs(context.clock, options.deadline)
  const request = { transactionalId: options.transactionalId, timeoutMs, partitions }
  try {
    const answer = await context.wire.send(nodeId, 'Produce', request, { timeoutMs, lane: options.lane })
    const answers = new Map(answer.partitions.map((partition) => [partitionKey(partition), partition]))
    return chosen.flatMap((sending) => {
      const failure = settle(sending, answers.get(partitionKey(sending)))
      if (failure !== null) context.cluster.forgetLeader(sending)
      return failure === null ? [] : [failure]
    })
  } catch (error) {
    for (const sending of chosen) context.cluster.forgetLeader(sending)
    return [coded(error, 'Produce')]
  }
}

/** As many as fit into one request, at least one. */
function withinRequest(group: readonly Sending[]): Sending[] {
  let bytes = 0
  return group.filter(({ queue, next }, index) => {
    bytes += queue.batches[next]?.length ?? 0
    return index === 0 || bytes <= maxRequestBytes
  })
}

function settle(
  sending: Sending,
  answer: { readonly errorCode: number; readonly baseOffset: number } | undefined,
): CodedError | null {
  const { topic, partition, queue } = sending
  if (answer === undefined) return missingInAnswer('Produce', sending)
  if (answer.errorCode !== kafkaError.NONE) {
    return brokerError(answer.errorCode, { operation: 'Produce', topic, partition })
  }
  if (answer.baseOffset < 0) {
    // Only a leader that took the batch for an old duplicate answers so; nothing says that the records are in the log.
    const detail = 'The batch was acknowledged without an offset.'
    return new CodedError('OUTCOME_UNKNOWN', { operation: 'Produce', topic, partition, detail })
  }
  queue.acknowledged(sending.next, answer.baseOffset)
  sending.next++
  return null
}
