/** Edits that several mutants share. */
import type { Edit } from './planting.ts'

const streamTask = 'src/streams/task/stream-task.ts'

/** States decoded by the aggregate hide what the store says for some megabytes: without them every read is one of the store. */
export const withoutCachedStates: Edit = {
  file: 'src/streams/aggregate/aggregate-processor.ts',
  original: 'const maxCachedBytes = 8 << 20',
  mutated: 'const maxCachedBytes = 0',
}

/** As often as a run of some seconds needs it. */
export const oftenPurged: Edit = {
  file: 'src/streams/runtime/streams.ts',
  original: 'const purgeIntervalMs = 30_000',
  mutated: 'const purgeIntervalMs = 100',
}

/** Steps 3 to 5 of a take-over come before step 2. */
export const committedStateBeforeFencing: readonly Edit[] = [
  {
    file: streamTask,
    original: 'const transactions = await all.open(',
    mutated: 'const committed = await this.#committedState()\n    const transactions = await all.open(',
  },
  {
    file: streamTask,
    original: '      const committed = await this.#committedState()\n',
    mutated: '',
  },
]

export const offsetsWithoutGeneration: Edit = {
  file: 'src/streams/transactions/run-transaction.ts',
  original: 'producer.sendOffsets(identity, offsets)',
  mutated: `producer.sendOffsets(
    { groupId: identity.groupId, generationId: -1, memberId: '', instanceId: null },
    offsets,
  )`,
}
