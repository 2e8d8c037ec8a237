import { expect, test } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import type { ConsumerOffset, GroupIdentity, Outgoing, RecordAppender } from '../../../../src/ports/kafka.ts'
import type { TransactionsOptions } from '../../../../src/streams/transactions/fenced-producer.ts'
import type {
  TransactionOutcome,
  TransactionPart,
} from '../../../../src/streams/transactions/transactions.ts'
import { TransactionsOfThread } from '../../../../src/streams/transactions/transactions-of-thread.ts'
import { systemClock } from '../../../../src/system/clock.ts'

const identity = { groupId: 'app', generationId: 7, memberId: 'm', instanceId: 'i' }

/** A client whose producers note what they are told, in order, and fail when asked to. */
class NotingKafka {
  readonly notes: string[] = []
  readonly outcomes: TransactionOutcome[] = []
  failAt: string | null = null
  isConfirmed = true
  /** Holds a commit back until it is called. */
  letCommit: (() => void) | null = null
  /** The same of an init. */
  letInit: (() => void) | null = null
  #lives = 0
  #end = 0

  get options(): TransactionsOptions {
    const member = {
      wasLost: () => false,
      confirm: async () => {
        this.notes.push('confirm')
        if (!this.isConfirmed) throw new CodedError('TASK_MIGRATED', { operation: 'confirm' })
      },
    }
    const kafka = {
      producer: ({ transactionalId }: { transactionalId: string }) => this.#producer(transactionalId),
    }
    const ended = (outcome: TransactionOutcome) => this.outcomes.push(outcome)
    return { kafka, member, transactionTimeoutMs: 10_000, ended } as unknown as TransactionsOptions
  }

  #producer(transactionalId: string) {
    const life = ++this.#lives
    const step = (name: string): void => {
      this.notes.push(`${life} ${name}`)
      if (this.failAt === name) throw new CodedError('OUTCOME_UNKNOWN', { operation: name })
    }
    return {
      init: async () => {
        if (this.letInit !== null) await new Promise<void>((resolve) => (this.letInit = resolve))
        step(`init ${transactionalId}`)
      },
      appender: () => null,
      send: async (outgoing: readonly Outgoing[]) => {
        step(`send ${outgoing.map(({ partition }) => partition.partition).join()}`)
        return outgoing.map(() => ++this.#end)
      },
      sendOffsets: async (as: GroupIdentity, offsets: readonly ConsumerOffset[]) =>
        step(`offsets ${offsets.map(({ offset }) => offset).join()} in ${as.generationId}`),
      commit: async () => {
        if (this.letCommit !== null) await new Promise<void>((resolve) => (this.letCommit = resolve))
        step('commit')
      },
      close: () => this.notes.push(`${life} close`),
    }
  }
}

function partOf(partitions: readonly number[], offset: number, steps: number[] = []): TransactionPart {
  const records = null as unknown as RecordAppender
  return {
    outgoing: partitions.map((partition) => ({ partition: { topic: 't', partition }, records })),
    offsets: [{ partition: { topic: 'in', partition: 0 }, offset, metadata: '' }],
    passed: (step) => steps.push(step),
  }
}

function transactionsOn(kafka: NotingKafka): TransactionsOfThread {
  const transactions = new TransactionsOfThread(kafka.options, {
    clock: systemClock,
    transactionalId: 'app-thread-i',
  })
  transactions.commitAs(identity)
  return transactions
}

test('what is committed in one turn is one transaction, and each part learns the ends of its own records', async () => {
  const kafka = new NotingKafka()
  const transactions = transactionsOn(kafka)
  const [one, other] = await Promise.all([transactions.open(), transactions.open()])
  const steps: number[] = []
  const ends = await Promise.all([one.commit(partOf([0, 1], 10, steps)), other.commit(partOf([2], 20))])
  expect(ends).toEqual([[1, 2], [3]])
  expect(steps).toEqual([2, 3, 4])
  expect(kafka.outcomes).toEqual(['committed'])
  expect(kafka.notes).toEqual(['1 init app-thread-i', '1 send 0,1,2', '1 offsets 10,20 in 7', '1 commit'])
})

test('what is committed while a transaction is under way waits for its end, and is the next one', async () => {
  const kafka = new NotingKafka()
  const transactions = transactionsOn(kafka)
  const task = await transactions.open()
  kafka.letCommit = () => undefined
  const first = task.commit(partOf([0], 1))
  await systemClock.sleep(1)
  const later = Promise.all([task.commit(partOf([1], 2)), task.commit(partOf([2], 3))])
  await systemClock.sleep(1)
  expect(kafka.notes.at(-1)).toBe('1 offsets 1 in 7')
  const letCommit = kafka.letCommit
  kafka.letCommit = null
  letCommit()
  await Promise.all([first, later])
  expect(kafka.notes.slice(3)).toEqual(['1 commit', '1 send 1,2', '1 offsets 2,3 in 7', '1 commit'])
})

test.each([
  ['send 0', 'aborted'],
  ['offsets 1 in 7', 'aborted'],
  ['commit', 'unknown'],
])(
  'a failure in "%s" fails the parts and those that wait; the next producer comes after a confirmation',
  async (failAt, outcome) => {
    const kafka = new NotingKafka()
    const transactions = transactionsOn(kafka)
    const task = await transactions.open()
    kafka.failAt = failAt
    const parts = [task.commit(partOf([0], 1))]
    await Promise.resolve()
    parts.push(task.commit(partOf([1], 2)))
    const outcomes = await Promise.allSettled(parts)
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    // Of the part that waited there was no transaction.
    expect(kafka.outcomes).toEqual([outcome])
    kafka.failAt = null
    kafka.notes.length = 0
    await (await transactions.open()).commit(partOf([0], 1))
    expect(kafka.notes.slice(0, 2)).toEqual(['confirm', '2 init app-thread-i'])
    expect(kafka.notes.at(-1)).toBe('2 commit')
  },
)

test('nothing is committed before an assignment was taken, and then as the member of that time', async () => {
  const kafka = new NotingKafka()
  const transactions = new TransactionsOfThread(kafka.options, { clock: systemClock, transactionalId: 'id' })
  const task = await transactions.open()
  await expect(task.commit(partOf([0], 1))).rejects.toMatchObject({ code: 'INTERNAL' })
  transactions.commitAs({ ...identity, generationId: 8 })
  await (await transactions.open()).commit(partOf([0], 1))
  expect(kafka.notes).toContain('2 offsets 1 in 8')
})

test('after a failure, a member that the group does not know any more fences nobody', async () => {
  const kafka = new NotingKafka()
  const transactions = transactionsOn(kafka)
  const task = await transactions.open()
  kafka.failAt = 'commit'
  await expect(task.commit(partOf([0], 1))).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  kafka.isConfirmed = false
  await expect(transactions.open()).rejects.toMatchObject({ code: 'TASK_MIGRATED' })
  await expect(task.commit(partOf([0], 1))).rejects.toMatchObject({ code: 'TASK_MIGRATED' })
  expect(kafka.notes.filter((note) => note.includes('init'))).toEqual(['1 init app-thread-i'])
})

test('under another member id begins with another producer, once the group has confirmed it', async () => {
  const kafka = new NotingKafka()
  const transactions = transactionsOn(kafka)
  await transactions.open()
  transactions.commitAs({ ...identity, generationId: 8 })
  await transactions.open()
  expect(kafka.notes).toEqual(['1 init app-thread-i'])
  transactions.commitAs({ ...identity, memberId: 'after a clone' })
  await transactions.open()
  expect(kafka.notes.toSorted()).toEqual(['1 close', '1 init app-thread-i', '2 init app-thread-i', 'confirm'])
})

test('who takes his place back waits for the producer that was still on its way, and then fences it', async () => {
  const kafka = new NotingKafka()
  kafka.letInit = () => undefined
  const transactions = transactionsOn(kafka)
  await systemClock.sleep(1)
  const letInit = kafka.letInit
  kafka.letInit = null
  transactions.commitAs({ ...identity, memberId: 'm2' })
  await systemClock.sleep(1)
  expect(kafka.notes).toEqual([])
  letInit()
  const task = await transactions.open()
  await task.commit(partOf([0], 1))
  expect(kafka.notes.filter((note) => !note.endsWith('close'))).toEqual([
    '1 init app-thread-i',
    'confirm',
    '2 init app-thread-i',
    '2 send 0',
    '2 offsets 1 in 7',
    '2 commit',
  ])
})
