import { expect, test } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import type { GroupIdentity, TopicPartition } from '../../../../src/ports/kafka.ts'
import { TopologyBuilder } from '../../../../src/streams/index.ts'
import { StreamThread } from '../../../../src/streams/runtime/stream-thread.ts'
import { TopicCatalog } from '../../../../src/streams/runtime/topic-catalog.ts'
import type { TaskEnvironment } from '../../../../src/streams/task/task-environment.ts'
import { CommitPacing } from '../../../../src/streams/transactions/commit-pacing.ts'
import { systemClock } from '../../../../src/system/clock.ts'

const builder = new TopologyBuilder('app')
builder
  .subtopology()
  .source('logins', 'input')
  .processor('read', ['logins'], () => ({ process: () => {} }))
const topology = builder.build()

const identity = { groupId: 'app', generationId: 3, memberId: 'm', instanceId: 'i' }

/** A thread with one task in a group that, at each join, gives it the same task under the next of `identities`. */
async function threadThatJoinsAs(
  identities: readonly GroupIdentity[],
  userData: Buffer = Buffer.alloc(0),
): Promise<string[]> {
  const events: string[] = []
  let joins = 0
  let reason: string | null = 'not joined yet'
  const member = {
    onRejoinNeeded: () => {},
    rejoinReason: () => reason,
    wasLost: () => false,
    join: async () => {
      joins += 1
      reason = null
      events.push('join')
      // Time enough for the task to be taken over, where it is.
      if (joins === identities.length) setTimeout(() => thread.stop(), 300)
      return { partitions: [{ topic: 'input', partition: 0 }], userData }
    },
    identity: () => identities[joins - 1],
    committedOffsets: async (partitions: readonly TopicPartition[]) => {
      events.push('take over')
      // When the task runs, another join is needed.
      setTimeout(() => {
        reason = joins < identities.length ? 'another' : null
      }, 20)
      return partitions.map((partition) => ({ partition, offset: 5, metadata: '' }))
    },
    requestRejoin: (why: string) => events.push(`${why}: ${thread.plansAsked}`),
    close: async () => {},
  }
  const inputs = {
    onArrival: () => {},
    poll: () => null,
    throwFailure: () => {},
    seek: () => {},
    remove: () => {},
    lastStableOffset: () => 5,
    position: () => 5,
    close: async () => {},
  }
  const transactions = {
    isShared: false,
    commitAs: () => {},
    pacingOf: () => new CommitPacing(systemClock),
    open: async () => ({
      appender: () => null,
      commit: async () => {
        throw new CodedError('INTERNAL', { operation: 'commit' })
      },
      close: () => {},
    }),
    close: () => {},
  }
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => log }
  const environment = {
    ...{ topology, member, inputs, transactions, log, clock: systemClock, observer: {} },
    catalog: new TopicCatalog(
      new Map([['input', { name: 'input', topicId: null, partitionCount: 1 }]]),
      new Map(),
    ),
    fingerprint: {},
    countedBefore: async () => null,
    settings: {
      commitIntervalMs: 1000,
      maxUncommittedBytes: 1000,
      maxStreamTimeLeadMs: 0,
      offsetLost: 'stop',
    },
  } as unknown as TaskEnvironment
  const thread = new StreamThread(environment, { leaveGroupOnStop: true })
  await thread.run()
  return events
}

test('tasks stay where the next join is the next generation of the same member', async () => {
  const joins = [identity, { ...identity, generationId: 4 }]
  expect(await threadThatJoinsAs(joins)).toEqual(['join', 'take over', 'join'])
})

test.each([
  ['a generation was missed', { ...identity, generationId: 5 }],
  ['a clone was in the place, in the same generation', { ...identity, memberId: 'another' }],
  ['a clone was in the place, and the group went on', { ...identity, memberId: 'another', generationId: 4 }],
])('all tasks are taken over anew where %s', async (_what, next) => {
  expect(await threadThatJoinsAs([identity, next])).toEqual(['join', 'take over', 'join', 'take over'])
})

test('a plan that lacks partitions is asked for anew, each time in other words', async () => {
  const behind = Buffer.from(JSON.stringify({ version: 3, partitions: { input: 0 } }))
  const events = await threadThatJoinsAs([identity, { ...identity, generationId: 4 }], behind)
  const asked = events.filter((event) => event.startsWith('the plan'))
  expect(asked).toEqual(['the plan lacks partitions: 1', 'the plan lacks partitions: 2'])
})
