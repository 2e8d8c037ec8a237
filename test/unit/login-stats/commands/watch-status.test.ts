import { expect, test } from 'vitest'
import type { Session } from '../../../../src/login-stats/commands/session.ts'
import { loadConfig } from '../../../../src/login-stats/config/index.ts'
import type { LoginStatsTable } from '../../../../src/login-stats/table/index.ts'
import { WatchStatus } from '../../../../src/login-stats/table-view/watch-status.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import type { TopicPartition } from '../../../../src/ports/kafka.ts'
import { row } from '../../../support/page-rows.ts'

/** A group without members, four partitions of each topic, and in each so many records that nobody has read. */
function watched(behind: Readonly<Record<string, number>>) {
  let nowMs = 0
  let isAway = false
  const offsets = async (partitions: readonly TopicPartition[], of: (topic: string) => number | null) =>
    partitions.map(({ topic }) => of(topic))
  const admin = {
    describeGroup: async () => (isAway ? await new Promise(() => {}) : { state: 'Stable', members: [] }),
    topics: async (names: readonly string[]) =>
      new Map(names.map((name) => [name, { name, partitionCount: 4 }])),
    groupOffsets: (_group: string, partitions: readonly TopicPartition[]) => offsets(partitions, () => null),
    listOffsets: (partitions: readonly TopicPartition[], at: string) =>
      offsets(partitions, (topic) => (at === 'earliest' ? 0 : (behind[topic] ?? 0))),
  }
  const clock = {
    monotonic: () => nowMs,
    now: () => nowMs,
    setTimer: () => () => undefined,
    sleep: () => new Promise(() => {}),
  } as unknown as Clock
  const config = loadConfig({
    ...{ KAFKA_BROKERS: 'nowhere:9092', APP_ID: 'app', INPUT_TOPIC: 'logins' },
  })
  const session = { config: { ...config, dlqTopic: null }, kafka: { admin }, log: {} } as unknown as Session
  const table = { isComplete: true, ageMs: 0 }
  return {
    status: new WatchStatus(clock, session, table as unknown as LoginStatsTable),
    table,
    pass(ms: number) {
      nowMs += ms
      table.ageMs += ms
      isAway = true
    },
  }
}

test('the lag is that of the input, and tasks of long ago are not told', async () => {
  const { status, pass } = watched({ logins: 5, 'app-counts-repartition': 1000 })
  await expect.poll(() => status.parts).toEqual(['tasks: 8 unassigned on 0 instances, input lag 20'])
  pass(9_000)
  expect(status.parts).toHaveLength(2)
  pass(1_000)
  expect(status.parts).toEqual(['STALE: as of 10 s ago'])
})

test('while nothing newer can be read, the rate is that of then', () => {
  const { status } = watched({})
  for (let second = 0; second <= 5; second++)
    status.note([row('total', 'total', second * 100)], second * 1000)
  for (let draw = 0; draw < 40; draw++) status.note([row('total', 'total', 500 + draw)], 5000)
  expect(status.ratePerSecond).toBe(100)
  status.note([row('total', 'total', 3)], null)
  expect(status.ratePerSecond).toBe(100)
})
