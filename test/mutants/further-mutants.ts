/** Planted faults beyond those that section 5 of EXACTLY-ONCE lists. */
import type { Mutant } from './mutant.ts'
import { committedStateBeforeFencing, oftenPurged, withoutCachedStates } from './shared-edits.ts'

const takeOver = 'src/streams/task/take-over.ts'
const streamTask = 'src/streams/task/stream-task.ts'
const partitionGroup = 'src/streams/task/partition-group.ts'
const taskStore = 'src/streams/store/task-store.ts'
const producer = 'src/kafka/transactional-producer.ts'
const committedRecords = 'src/kafka/records/committed-records.ts'

export const furtherMutants: readonly Mutant[] = [
  {
    name: 'no-abort-filter',
    says: 'records of aborted transactions are read like others',
    seeds: [1, 2],
    failsCalm: true,
    edits: [{ file: committedRecords, original: 'return !aborted.has(producerId)', mutated: 'return true' }],
  },
  {
    name: 'unknown-is-committed',
    says: 'a commit whose answer was lost is taken for done',
    seeds: [182],
    edits: [
      {
        file: 'src/streams/transactions/run-transaction.ts',
        original: '  await producer.commit()\n',
        mutated: `  await producer.commit().catch((error) => {
    if (error.code !== 'OUTCOME_UNKNOWN') throw error
  })
`,
      },
    ],
  },
  {
    name: 'unknown-is-aborted',
    says: 'after a commit whose answer was lost, the input is read again from the last offset that was known to be committed',
    seeds: [30],
    edits: [
      {
        file: partitionGroup,
        original: `    this.#positions = { ...offsets }
    this.#committed = { ...offsets }
    for (const input of this.inputs) this.#fetcher.seek(input, offsets[input.topic] ?? 0)
`,
        mutated: `    this.#committed = { ...offsets, ...this.#committed }
    this.#positions = { ...this.#committed }
    for (const input of this.inputs) this.#fetcher.seek(input, this.#positions[input.topic] ?? 0)
`,
      },
    ],
  },
  {
    name: 'offsets-not-stable',
    says: 'the committed offset is read before the old owner is fenced, whether or not a transaction is pending on it',
    seeds: [3],
    failsCalm: true,
    edits: [
      ...committedStateBeforeFencing,
      {
        file: 'src/kafka/group-offsets.ts',
        original: 'return await committedOffsets(context, groupId, partitions, true)',
        mutated: 'return await committedOffsets(context, groupId, partitions, false)',
      },
    ],
  },
  {
    name: 'fetched-is-committed',
    says: 'what was fetched is committed, whether or not it has been processed',
    seeds: [40],
    failsCalm: true,
    edits: [
      {
        file: partitionGroup,
        original: '    this.#queue.push(chunk)\n',
        mutated: '    this.#queue.push(chunk)\n    this.#positions[chunk.topic] = chunk.nextOffset\n',
      },
    ],
  },
  {
    name: 'half-read-source-transactions',
    says: 'a commit takes a part of a source transaction',
    seeds: [114],
    edits: [
      {
        file: 'src/streams/aggregate/source-transactions.ts',
        original: 'return this.#halfRead.size === 0',
        mutated: 'return true',
      },
    ],
  },
  {
    name: 'overlay-kept-after-abort',
    says: 'what was written for a lost transaction stays in the overlay',
    seeds: [30],
    edits: [
      {
        file: taskStore,
        original: `  dropUncommitted(): void {
    this.#overlay.drop()
`,
        mutated: `  dropUncommitted(): void {
    const lost = this.#overlay.frozenWrites()
    this.#overlay.dropFrozen()
    for (const { key, value } of lost) this.#overlay.write(key, value)
`,
      },
    ],
  },
  {
    name: 'overlay-dropped-before-the-write',
    says: 'the frozen overlay is dropped when the write of the store begins, not when it has ended',
    seeds: [40],
    edits: [
      withoutCachedStates,
      {
        file: taskStore,
        original: `    await this.#committed.write(this.#overlay.frozenWrites(), changelogPosition, meta)
    this.#overlay.dropFrozen()
`,
        mutated: `    const writes = this.#overlay.frozenWrites()
    this.#overlay.dropFrozen()
    await this.#committed.write(writes, changelogPosition, meta)
`,
      },
    ],
  },
  {
    name: 'combiner-kept-after-abort',
    says: 'what the first stage has folded and collected for a lost transaction is sent again with the next',
    seeds: [84],
    edits: [
      {
        file: streamTask,
        original: '    this.#work = { transactions, collector, graph }\n',
        mutated: `    if (this.#store === null) this.#kept ??= { collector, graph }
    this.#work = { transactions, collector, graph, ...this.#kept }
`,
      },
      {
        file: streamTask,
        original: '  #work: Work | null = null\n',
        mutated: "  #work: Work | null = null\n  #kept: Omit<Work, 'transactions'> | null = null\n",
      },
    ],
  },
  {
    name: 'sequence-reused',
    says: 'after a failure the same producer aborts, and numbers its next batches like those whose fate is not known',
    seeds: [19],
    edits: [
      {
        file: producer,
        original: 'export class Producer implements TransactionalProducer {\n',
        mutated: `const lives = new WeakMap<PortContext, Map<string, Producer>>()

export class Producer implements TransactionalProducer {
  private acknowledged: ReadonlyMap<string, number> = new Map()
`,
      },
      {
        file: producer,
        original: "    await this.perform('init', initDeadlineMs, async (deadline) => {\n",
        mutated: `    await this.perform('init', initDeadlineMs, async (deadline) => {
      const before = lives.get(this.context)?.get(this.options.transactionalId)
      if (before !== undefined) {
        lives.get(this.context)?.delete(this.options.transactionalId)
        this.producerId = before.producerId
        this.producerEpoch = before.producerEpoch
        for (const [key, sequence] of before.acknowledged) this.sequences.set(key, sequence)
        try {
          return await this.endTransaction(false, deadline)
        } catch {
          this.sequences.clear()
        }
      }
`,
      },
      {
        file: producer,
        original: '    this.groupsInTransaction.clear()\n',
        mutated: `    this.groupsInTransaction.clear()
    this.acknowledged = new Map(this.sequences)
    const known = lives.get(this.context) ?? new Map<string, Producer>()
    lives.set(this.context, known.set(this.options.transactionalId, this))
`,
      },
    ],
  },
  {
    // Nobody moves offsets in the simulator: it would have to expect a process that stops.
    name: 'offset-not-compared',
    says: 'committed offsets are not held against what the changelogs have counted',
    edits: [
      {
        file: takeOver,
        original: 'if (committed !== null && committed.offset !== counted) {',
        mutated: 'if (committed !== null && committed.offset < 0) {',
      },
      {
        file: takeOver,
        original: "if (offsetLost === 'stop' && counted !== null && committed.offset < counted) {",
        mutated: 'if (committed.offset < 0) {',
      },
    ],
  },
  {
    // The compaction of the simulator leaves no empty batch where a restore reads it.
    name: 'empty-batch-not-passed',
    says: 'reading does not get past a batch that compaction has emptied',
    edits: [
      {
        file: committedRecords,
        original: '      nextOffset = lastOffset + 1\n',
        mutated: `      if (this.records.readInt32BE(at + batchAt.recordCount) === 0) break
      nextOffset = lastOffset + 1
`,
      },
    ],
  },
  {
    name: 'empty-answer-ends-restore',
    says: 'a restore ends at the first answer without records',
    seeds: [1],
    failsCalm: true,
    edits: [
      {
        file: 'src/streams/changelog/partition-reader.ts',
        original: '      if (fetcher.position(partition) >= to) return\n',
        mutated:
          '      if (fetcher.position(partition) >= to || fetcher.lastStableOffset(partition) !== null) return\n',
      },
    ],
  },
  {
    name: 'store-trusted-after-power-loss',
    says: 'a store is trusted although the machine went down under it',
    seeds: [698],
    edits: [
      {
        file: 'src/streams/store/store-opening.ts',
        original: 'const isScanned = mustScan(session.record, commit.record, options)',
        mutated: 'const isScanned = false',
      },
    ],
  },
  {
    name: 'purge-of-uncommitted',
    says: 'the repartition topic is purged up to what has been processed, committed or not',
    seeds: [18],
    edits: [
      oftenPurged,
      {
        file: partitionGroup,
        original: 'offset: this.#committed[partition.topic] ?? 0 }))',
        mutated: 'offset: this.#positions[partition.topic] ?? 0 }))',
      },
    ],
  },
]
