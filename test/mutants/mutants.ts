/**
 * The planted faults: each breaks one rule of exactly-once, and must be caught. What catches it, and by which seed, stands in
 * `caught.ts`.
 *
 * A mutant is data. Its edits change texts of the sources while they are loaded (`plant.ts`); the program itself has no switch
 * for any of them.
 */
import type { Edit, Planted } from './planting.ts'

export interface Mutant extends Planted {
  /** The mistake, as a reviewer would say it. */
  readonly says: string
}

const commit = 'src/streams/task/commit.ts'
const takeOver = 'src/streams/task/take-over.ts'
const streamTask = 'src/streams/task/stream-task.ts'
const partitionGroup = 'src/streams/task/partition-group.ts'
const taskStore = 'src/streams/store/task-store.ts'
const producer = 'src/kafka/transactional-producer.ts'
const committedRecords = 'src/kafka/records/committed-records.ts'

/** States decoded by the aggregate hide what the store says for some megabytes: without them every read is one of the store. */
const withoutCachedStates: Edit = {
  file: 'src/streams/aggregate/aggregate-processor.ts',
  original: 'const maxCachedBytes = 4 << 20',
  mutated: 'const maxCachedBytes = 0',
}

/** As often as a run of some seconds needs it. */
const oftenPurged: Edit = {
  file: 'src/streams/runtime/streams.ts',
  original: 'const purgeIntervalMs = 30_000',
  mutated: 'const purgeIntervalMs = 100',
}

const committedStateBeforeFencing: readonly Edit[] = [
  {
    file: streamTask,
    original: 'const producer = await fenceOldOwner(',
    mutated: 'const committed = await this.#committedState()\n    const producer = await fenceOldOwner(',
  },
  {
    file: streamTask,
    original: '      const committed = await this.#committedState()\n',
    mutated: '',
  },
]

/** Edits that change nothing but how often something is put to the test: these programs are right, and must pass. */
export const controls: readonly Mutant[] = [
  {
    name: 'control-no-cached-states',
    says: 'every state is read from the store',
    edits: [withoutCachedStates],
  },
  { name: 'control-often-purged', says: 'the repartition topic is purged often', edits: [oftenPurged] },
]

export const mutants: readonly Mutant[] = [
  {
    name: 'store-before-commit',
    says: 'the store is written before the transaction is committed',
    edits: [
      {
        file: commit,
        original: `  await producer.commit()
  observer.commitStep?.(taskId, 4)
  // 5.
  const changelogEnd = ends.at(-1)
  if (store !== null && changelogEnd !== undefined) await store.commitFrozen(changelogEnd, frozen.meta)
  observer.commitStep?.(taskId, 5)
`,
        mutated: `  const changelogEnd = ends.at(-1)
  if (store !== null && changelogEnd !== undefined) await store.commitFrozen(changelogEnd, frozen.meta)
  observer.commitStep?.(taskId, 5)
  await producer.commit()
  observer.commitStep?.(taskId, 4)
`,
      },
    ],
  },
  {
    name: 'no-fencing',
    says: 'each life of a member has a transactional id of its own, and offsets are committed without generation',
    edits: [
      {
        file: streamTask,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a source.
        original: '`${topology.applicationId}-${this.id}`)',
        mutated:
          // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a source.
          '`${topology.applicationId}-${this.id}-${this.#environment.member.identity().memberId}`)',
      },
      {
        file: commit,
        original: 'producer.sendOffsets(member.identity(), frozen.offsets)',
        mutated: `producer.sendOffsets(
    { groupId: member.identity().groupId, generationId: -1, memberId: '', instanceId: null },
    frozen.offsets,
  )`,
      },
    ],
  },
  {
    name: 'no-rewind',
    says: 'after an abort the input is read on from where it was',
    edits: [
      {
        file: partitionGroup,
        original: `    this.#positions = { ...offsets }
    this.#committed = { ...offsets }
    for (const input of this.inputs) this.#fetcher.seek(input, offsets[input.topic] ?? 0)
`,
        mutated: `    this.#positions = { ...offsets, ...this.#positions }
    this.#committed = { ...offsets }
    for (const input of this.inputs) this.#fetcher.seek(input, this.#positions[input.topic] ?? 0)
`,
      },
    ],
  },
  {
    name: 'offsets-before-the-transaction',
    says: 'the offsets are committed by themselves, before the transaction ends',
    edits: [
      {
        file: producer,
        original: `    await this.perform('sendOffsets', this.callMs(), async (deadline) => {
`,
        mutated: `    const { transactionalId } = this.options
    if (!transactionalId.endsWith('-offsets')) {
      await this.perform('sendOffsets', this.callMs(), async () => {
        const apart = new Producer(this.context, {
          ...this.options,
          transactionalId: \`\${transactionalId}-offsets\`,
        })
        await apart.init()
        await apart.sendOffsets(group, offsets)
        await apart.commit()
        apart.close()
        return this.state
      })
      return
    }
    await this.perform('sendOffsets', this.callMs(), async (deadline) => {
`,
      },
      {
        file: producer,
        original: `  async commit(): Promise<void> {
`,
        mutated: `  async commit(): Promise<void> {
    // Nothing but offsets was to be sent.
    if (this.state === 'ready') return
`,
      },
    ],
  },
  {
    name: 'offsets-after-the-transaction',
    says: 'the offsets are committed by themselves, after the transaction has ended',
    edits: [
      {
        file: producer,
        original: `    await this.perform('sendOffsets', this.callMs(), async (deadline) => {
`,
        mutated: `    const { transactionalId } = this.options
    if (!transactionalId.endsWith('-offsets')) {
      this.commitApart = async () => {
        const apart = new Producer(this.context, {
          ...this.options,
          transactionalId: \`\${transactionalId}-offsets\`,
        })
        await apart.init()
        await apart.sendOffsets(group, offsets)
        await apart.commit()
        apart.close()
      }
      return
    }
    await this.perform('sendOffsets', this.callMs(), async (deadline) => {
`,
      },
      {
        file: producer,
        original: `    await this.perform('commit', this.callMs(), (deadline) => this.endTransaction(true, deadline))
`,
        mutated: `    await this.perform('commit', this.callMs(), async (deadline) => {
      const state = this.state === 'open' ? await this.endTransaction(true, deadline) : this.state
      await this.commitApart()
      return state
    })
`,
      },
      {
        file: producer,
        original: "commit: ['open'],",
        mutated: "commit: ['ready', 'open'],",
      },
      {
        file: producer,
        original: "  private state: State = 'created'\n",
        mutated:
          "  private state: State = 'created'\n  private commitApart = async (): Promise<void> => {}\n",
      },
    ],
  },
  {
    name: 'restore-to-last-stable',
    says: 'the store is restored before the old owner is fenced, up to the last stable offset',
    edits: [
      ...committedStateBeforeFencing,
      {
        file: takeOver,
        original: "listOffsets([changelog], 'highWatermark')",
        mutated: "listOffsets([changelog], 'lastStable')",
      },
    ],
  },
  {
    name: 'scan-without-overlay',
    says: 'a scan of the index does not see what is not committed yet',
    edits: [
      {
        file: taskStore,
        original: 'of view.indexed(indexBound(lt), indexKeyOf)) {',
        mutated: 'of view.indexed(Buffer.alloc(0), indexKeyOf)) {',
      },
    ],
  },
  {
    name: 'store-used-after-write-error',
    says: 'after a write that the disk has refused, the task is taken over again, with the same handle',
    edits: [
      {
        file: 'src/streams/store/guarded-database.ts',
        original: `      this.#failure = writeFailure(cause, this.#path)
      throw this.#failure
`,
        mutated: `      throw writeFailure(cause, this.#path)
`,
      },
      {
        file: 'src/errors.ts',
        original: `  STORE_WRITE_FAILED: {
    behaviour: 'stop',
`,
        mutated: `  STORE_WRITE_FAILED: {
    behaviour: 'abort',
`,
      },
    ],
  },
  {
    name: 'unsorted-abort-filter',
    says: 'aborted transactions are taken in the order in which the broker names them',
    edits: [
      {
        file: committedRecords,
        original: 'transactions.toSorted((a, b) => a.firstOffset - b.firstOffset)',
        mutated: 'transactions',
      },
    ],
  },
  // Beyond the list of EXACTLY-ONCE.
  {
    name: 'no-abort-filter',
    says: 'records of aborted transactions are read like others',
    edits: [{ file: committedRecords, original: 'return !aborted.has(producerId)', mutated: 'return true' }],
  },
  {
    name: 'unknown-is-committed',
    says: 'a commit whose answer was lost is taken for done',
    edits: [
      {
        file: commit,
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
    edits: [
      ...committedStateBeforeFencing,
      {
        file: 'src/kafka/group-offsets.ts',
        original: 'requireStable: true }',
        mutated: 'requireStable: false }',
      },
    ],
  },
  {
    name: 'fetched-is-committed',
    says: 'what was fetched is committed, whether or not it has been processed',
    edits: [
      {
        file: partitionGroup,
        original: '    this.#queue.push(chunk)\n',
        mutated: '    this.#queue.push(chunk)\n    this.#positions[chunk.topic] = chunk.nextOffset\n',
      },
    ],
  },
  {
    name: 'tasks-kept-over-generations',
    says: 'tasks are kept after a join during which others may have owned them',
    edits: [
      {
        file: 'src/streams/runtime/stream-thread.ts',
        original:
          'if (before === null || this.#generationId === before || this.#generationId === before + 1) return',
        mutated: 'if (before !== Number.NaN) return',
      },
    ],
  },
  {
    name: 'half-read-source-transactions',
    says: 'a commit takes a part of a source transaction',
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
    says: 'what was written since the lost transaction stays in the overlay',
    edits: [
      {
        file: taskStore,
        original: `  dropUncommitted(): void {
    this.#overlay.drop()
`,
        mutated: `  dropUncommitted(): void {
    this.#overlay.dropFrozen()
`,
      },
    ],
  },
  {
    name: 'overlay-dropped-before-the-write',
    says: 'the frozen overlay is dropped when the write of the store begins, not when it has ended',
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
    edits: [
      {
        file: streamTask,
        original: '    this.#work = { producer, collector, graph }\n',
        mutated: `    if (this.#store === null) this.#kept ??= { collector, graph }
    this.#work = { producer, collector, graph, ...this.#kept }
`,
      },
      {
        file: streamTask,
        original: '  #work: Work | null = null\n',
        mutated: "  #work: Work | null = null\n  #kept: Omit<Work, 'producer'> | null = null\n",
      },
    ],
  },
  {
    name: 'sequence-reused',
    says: 'after a failure the same producer aborts, and numbers its next batches like those whose fate is not known',
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
    name: 'empty-batch-not-passed',
    says: 'the position does not move past a batch that compaction has emptied',
    edits: [
      {
        file: committedRecords,
        original: '      nextOffset = lastOffset + 1\n',
        mutated:
          '      if (this.records.readInt32BE(at + batchAt.recordCount) > 0) nextOffset = lastOffset + 1\n',
      },
    ],
  },
  {
    name: 'empty-answer-ends-restore',
    says: 'a restore ends at the first answer without records',
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
    edits: [
      {
        file: 'src/streams/store/store-opening.ts',
        original: 'if (mustScan(session.record, commit.record, options)) {',
        mutated: 'if (false as boolean) {',
      },
    ],
  },
  {
    name: 'purge-of-uncommitted',
    says: 'the repartition topic is purged up to what has been processed, committed or not',
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

export function findMutant(name: string): Mutant {
  const found = [...mutants, ...controls].find((mutant) => mutant.name === name)
  if (found !== undefined) return found
  throw new Error(
    `There is no mutant ${JSON.stringify(name)}; there are ${mutants.map((one) => one.name).join(', ')}.`,
  )
}
