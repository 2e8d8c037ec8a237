/** The planted faults that section 5 of EXACTLY-ONCE lists. */
import type { Mutant } from './mutant.ts'
import { committedStateBeforeFencing, offsetsWithoutGeneration } from './shared-edits.ts'

const commit = 'src/streams/task/commit.ts'
const runTransaction = 'src/streams/transactions/run-transaction.ts'
const transactionsOfTasks = 'src/streams/transactions/transactions-of-tasks.ts'
const transactionsOfThread = 'src/streams/transactions/transactions-of-thread.ts'
const partitionGroup = 'src/streams/task/partition-group.ts'
const taskStore = 'src/streams/store/task-store.ts'
const producer = 'src/kafka/transactional-producer.ts'
const committedRecords = 'src/kafka/records/committed-records.ts'

export const listedMutants: readonly Mutant[] = [
  {
    name: 'store-before-commit',
    says: 'the store is written before the transaction is committed',
    seeds: [133],
    edits: [
      {
        file: commit,
        original: `    passed: (step) => observer.commitStep?.(taskId, step),
  })
  // 5.
  const changelogEnd = ends.at(-1)
  if (store !== null && changelogEnd !== undefined) await store.commitFrozen(changelogEnd, frozen.meta)
  observer.commitStep?.(taskId, 5)
`,
        mutated: `    passed: (step) => observer.commitStep?.(taskId, step === 4 ? 5 : step),
    write: async (ends) => {
      const changelogEnd = ends.at(-1)
      if (store !== null && changelogEnd !== undefined) await store.commitFrozen(changelogEnd, frozen.meta)
      observer.commitStep?.(taskId, 4)
    },
  })
`,
      },
      {
        file: runTransaction,
        original: '  await producer.commit()\n',
        mutated: `  const own = endsByPart(parts, ends)
  for (const [index, part] of parts.entries()) await part.write(own[index])
  await producer.commit()
`,
      },
    ],
  },
  {
    name: 'no-fencing',
    says: 'each life of a member has a transactional id of its own, and offsets are committed without generation',
    seeds: [19],
    failsCalm: true,
    edits: [
      {
        file: transactionsOfTasks,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a source.
        original: '`${this.#applicationId}-${taskId}`)',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a source.
        mutated: '`${this.#applicationId}-${taskId}-${this.#options.member.identity().memberId}`)',
      },
      {
        file: transactionsOfThread,
        original: 'fencedProducer(this.#options, this.#transactionalId)',
        mutated:
          // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a source.
          'fencedProducer(this.#options, `${this.#transactionalId}-${this.#options.member.identity().memberId}`)',
      },
      offsetsWithoutGeneration,
    ],
  },
  {
    name: 'no-generation',
    says: 'offsets are committed without generation, which is what fences the owner before where a thread commits for its tasks',
    seeds: [841],
    edits: [offsetsWithoutGeneration],
  },
  {
    name: 'no-rewind',
    says: 'after an abort the input is read on from where it was',
    seeds: [2, 4],
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
    seeds: [7],
    failsCalm: true,
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
    seeds: [3],
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
    seeds: [111],
    failsCalm: true,
    edits: [
      ...committedStateBeforeFencing,
      {
        file: 'src/streams/changelog/restore-position.ts',
        original: "listOffsets([changelog], 'highWatermark')",
        mutated: "listOffsets([changelog], 'lastStable')",
      },
    ],
  },
  {
    name: 'scan-without-overlay',
    says: 'a scan of the index sees what is committed, and nothing else',
    seeds: [32],
    failsCalm: true,
    edits: [
      {
        file: taskStore,
        original: 'of view.indexed(indexBound(lt), indexKeyOf)) {',
        mutated: 'of view.indexed(Buffer.alloc(0), indexKeyOf)) {',
      },
      {
        file: taskStore,
        original: "chunk.filter(({ key }) => view.get(key.toString('latin1')) === undefined)",
        mutated: 'chunk',
      },
    ],
  },
  {
    name: 'store-used-after-write-error',
    says: 'a batch that the disk has refused is passed over, and the store goes on',
    seeds: [21],
    edits: [
      {
        file: 'src/streams/store/guarded-database.ts',
        original: `      this.#failure = writeFailure(cause, this.#path)
      throw this.#failure
`,
        mutated: '',
      },
    ],
  },
  {
    name: 'unsorted-abort-filter',
    says: 'aborted transactions are taken in the order in which the broker names them',
    seeds: [2],
    edits: [
      {
        file: committedRecords,
        original: 'transactions.toSorted((a, b) => a.firstOffset - b.firstOffset)',
        mutated: 'transactions',
      },
    ],
  },
]
