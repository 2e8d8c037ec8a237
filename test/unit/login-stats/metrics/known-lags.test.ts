import { expect, test } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import { withKnownLags } from '../../../../src/login-stats/metrics/known-lags.ts'
import type { TaskStatus } from '../../../../src/streams/index.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { createLogger } from '../../../../src/system/logger.ts'

const clock = {
  ...systemClock,
  setTimer: (_: number, callback: () => void) => systemClock.setTimer(20, callback),
}
const log = createLogger({ level: 'silent' })

function statusOf(task: string, state: TaskStatus['state'], lag: number | null): TaskStatus {
  const lagSeconds = lag === null || state === 'standby' ? null : 3
  return {
    ...{ task, state, lag, lagSeconds, isCaughtUp: false, restore: null },
    ...{ storeEntries: null, uncommittedBytes: 0 },
  }
}

const running = statusOf('0_0', 'running', 5)
const restoring = statusOf('1_0', 'restoring', null)
const caughtUp = statusOf('1_1', 'restoring', null)
const standby = statusOf('1_2', 'standby', null)

test('Kafka tells the lag of tasks that do not know it, and of no others', async () => {
  const lags = async () => new Map(['0_0', '1_0', '1_2'].map((task) => [task, 70]))
  expect(await withKnownLags([running, restoring, standby], { clock, log, lags })).toEqual([
    running,
    { ...restoring, lag: 70 },
    standby,
  ])
})

test('where nothing waits it is known how long: not at all', async () => {
  const lags = async () => new Map([['1_1', 0]])
  expect(await withKnownLags([caughtUp], { clock, log, lags })).toEqual([
    { ...caughtUp, lag: 0, lagSeconds: 0 },
  ])
})

test('Kafka is not asked where all is known', async () => {
  const lags = () => Promise.reject(new Error('asked'))
  expect(await withKnownLags([running, standby], { clock, log, lags })).toEqual([running, standby])
})

test.each([
  ['fails', () => Promise.reject(new CodedError('KAFKA_UNREACHABLE', { operation: 'ask' }))],
  ['does not answer', () => new Promise<never>(() => undefined)],
])('what is not known stays so where Kafka %s', async (_, lags) => {
  expect(await withKnownLags([running, restoring], { clock, log, lags })).toEqual([running, restoring])
})
