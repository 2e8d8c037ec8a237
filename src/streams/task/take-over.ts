import { CodedError } from '../../errors.ts'
import type { ConsumerOffset, TopicPartition } from '../../ports/kafka.ts'
import { applyChangelog } from '../changelog/apply-changelog.ts'
import { readPartition } from '../changelog/partition-reader.ts'
import { restorePosition } from '../changelog/restore-position.ts'
import { assertSameFingerprint } from '../runtime/fingerprint.ts'
import { assertSameTopic } from '../runtime/topic-catalog.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { CommitMeta } from '../store/types.ts'
import { highestEventTimeOf } from './offset-metadata.ts'
import type { TaskEnvironment } from './task-environment.ts'

/**
 * Taking over a task, step by step. Also the way back after an abort: it decides what became of a transaction whose
 * outcome is not known.
 *
 *   1. The group has given us the task: generation and member id are known.
 *   2. InitProducerId fences the old owner and finishes its transaction, one way or the other. Where a thread's tasks commit together
 *      it fences only this member's former self: see `transactions/`.
 *   3. Read the committed input offsets when they are stable. Never before 2: the offset of a transaction that is pending is
 *      invisible, and the old value would come back. From here on, nobody else can commit an offset of the task: the group
 *      refuses those of an older generation, and what was pending has ended.
 *   4. Read the end of the changelog, by high watermark. After 3; the last stable offset would end too early.
 *   5. Bring the store to that end. What a transaction holds back is waited for: it is one that can only be aborted, or one whose
 *      markers are still being written.
 *   6. Start reading the input at the offsets of 3.
 */
export interface CommittedState {
  /** Where to start, by source topic. */
  readonly inputOffsets: Readonly<Record<string, number>>
  readonly streamTime: number | null
  /** Of a task that reads events; stream time follows it as far as the wall clock allows. */
  readonly highestEventTime: number | null
  /** Null for a task without a store, or with one that nothing has been committed to. */
  readonly meta: CommitMeta | null
}

/** Step 3 of a task without a store; it has no 4 and 5. */
export async function committedStateOfStatelessTask(
  environment: TaskEnvironment,
  taskId: string,
  inputs: readonly TopicPartition[],
): Promise<CommittedState> {
  const offsets = await sureOfHanging(environment, environment.member.committedOffsets(inputs))
  environment.observer.takeOverStep?.(taskId, 3)
  const inputOffsets: Record<string, number> = {}
  let highestEventTime: number | null = null
  for (const [index, input] of inputs.entries()) {
    const committed = offsets[index] ?? null
    const counted = await environment.countedBefore(input, { isSure: committed === null })
    inputOffsets[input.topic] = await startOffset(environment, taskId, input, committed, counted)
    const time = committed === null ? null : highestEventTimeOf(committed.metadata)
    if (time !== null) highestEventTime = Math.max(highestEventTime ?? time, time)
  }
  return { inputOffsets, streamTime: null, highestEventTime, meta: null }
}

/** What seems to hang may be a transaction of the task's new owner: throws TASK_MIGRATED instead where there is one. */
async function sureOfHanging<T>(environment: TaskEnvironment, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof CodedError && error.code === 'TRANSACTION_HANGING')
      await environment.member.confirm()
    throw error
  }
}

async function startOffset(
  environment: TaskEnvironment,
  taskId: string,
  input: TopicPartition,
  committed: ConsumerOffset | null,
  counted: number | null,
): Promise<number> {
  const { offsetLost } = environment.settings
  if (committed !== null) {
    // Who wished to start over after a loss has offsets below what was counted once.
    if (offsetLost === 'stop' && counted !== null && committed.offset < counted) {
      throw await mismatch(environment, taskId, input, committed.offset, counted)
    }
    return committed.offset
  }
  if (counted !== null && offsetLost === 'stop') {
    // Where the task is not ours any more, the new owner may just have counted it for the first time.
    await environment.member.confirm()
    throw new CodedError('OFFSET_LOST', {
      operation: 'take over a task',
      task: taskId,
      ...input,
      detail: `The group has no committed offset, and the state has counted it up to ${counted}.`,
    })
  }
  const which = counted !== null && offsetLost === 'latest' ? 'highWatermark' : 'earliest'
  const [offset] = await environment.kafka.admin.listOffsets([input], which)
  return offset ?? 0
}

/** Throws TASK_MIGRATED instead where the task is not ours any more: then the new owner has moved on meanwhile. */
async function mismatch(
  environment: TaskEnvironment,
  taskId: string,
  input: TopicPartition,
  found: number,
  expected: number,
): Promise<CodedError> {
  await environment.member.confirm()
  return new CodedError('OFFSET_MISMATCH', {
    operation: 'take over a task',
    task: taskId,
    ...input,
    detail: `The committed offset is ${found}; the state has counted up to ${expected}.`,
  })
}

/** Steps 3 to 5 of a task with a store. */
export async function committedStateOfStatefulTask(
  environment: TaskEnvironment,
  taskId: string,
  inputs: readonly TopicPartition[],
  changelog: TopicPartition,
  store: TaskStore,
  cancelled: () => boolean,
): Promise<CommittedState> {
  // 3.
  const offsets = await sureOfHanging(environment, environment.member.committedOffsets(inputs))
  environment.observer.takeOverStep?.(taskId, 3)
  // 4. and 5.
  await sureOfHanging(environment, restore(environment, taskId, changelog, store, cancelled))
  const { meta } = store
  if (meta !== null) assertSameState(environment, meta)
  const inputOffsets: Record<string, number> = {}
  for (const [index, input] of inputs.entries()) {
    const counted = meta?.inputOffsets[input.topic] ?? null
    const committed = offsets[index] ?? null
    if (committed !== null && committed.offset !== counted) {
      throw await mismatch(environment, taskId, input, committed.offset, counted ?? 0)
    }
    // The meta record stands in the same transaction as the offset, so where the offset is lost and the user wishes to go on,
    // the state itself knows the exact one.
    const lost = committed === null && counted !== null && environment.settings.offsetLost !== 'stop'
    inputOffsets[input.topic] = lost
      ? counted
      : await startOffset(environment, taskId, input, committed, counted)
  }
  return { inputOffsets, streamTime: meta?.streamTime ?? null, highestEventTime: null, meta }
}

function assertSameState(environment: TaskEnvironment, meta: CommitMeta): void {
  assertSameFingerprint(meta.fingerprint, environment.fingerprint)
  const now = environment.catalog.ids(Object.keys(meta.topicIds))
  for (const [topic, id] of Object.entries(meta.topicIds)) assertSameTopic(topic, id, now[topic])
}

/** Steps 4 and 5: applies the committed records of the changelog from the store's position to its end. */
async function restore(
  environment: TaskEnvironment,
  taskId: string,
  changelog: TopicPartition,
  store: TaskStore,
  cancelled: () => boolean,
): Promise<void> {
  const { kafka, clock, observer } = environment
  const { from, end } = await restorePosition(kafka, taskId, changelog, store)
  observer.takeOverStep?.(taskId, 4)
  const startedAt = clock.monotonic()
  let restoredRecords = 0
  await readPartition({
    kafka,
    clock,
    partition: changelog,
    from,
    to: end,
    maxHeldBackMs: environment.maxStallMs,
    cancelled,
    onRecords: async (records) => {
      restoredRecords += await applyChangelog(records, changelog, store)
      observer.restoring?.({ taskId, from, position: records.nextOffset, end, restoredRecords })
    },
  })
  if (cancelled()) throw new CodedError('TASK_MIGRATED', { operation: 'restore a task', task: taskId })
  await store.finishRestore()
  observer.takeOverStep?.(taskId, 5)
  observer.restored?.(taskId, { restoredRecords, durationMs: clock.monotonic() - startedAt })
}
