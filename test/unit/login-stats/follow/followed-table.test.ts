import { afterEach, expect, test, vi } from 'vitest'
import { FollowedTable } from '../../../../src/login-stats/follow/followed-table.ts'
import { defaultLimits } from '../../../../src/login-stats/limits.ts'
import { LoginStatsTable } from '../../../../src/login-stats/table/index.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import type { KafkaClient } from '../../../../src/ports/kafka.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { createLogger } from '../../../../src/system/logger.ts'
import { tableOf } from '../../../support/answering-server.ts'

afterEach(() => vi.restoreAllMocks())

/** A second is ten milliseconds, for timers. */
const hasty: Clock = {
  ...systemClock,
  setTimer: (delayMs, callback) => systemClock.setTimer(delayMs / 100, callback),
}

function followedOf(tables: readonly LoginStatsTable[], idleMs: number, clock = hasty): FollowedTable {
  const left = [...tables]
  vi.spyOn(LoginStatsTable, 'follow').mockImplementation(() => left.shift() as LoginStatsTable)
  return new FollowedTable({
    ...{ kafka: {} as KafkaClient, clock, log: createLogger({ level: 'silent' }) },
    ...{ tableTopic: 'table', dlqTopic: null, cacheDirectory: 'nowhere' },
    limits: { ...defaultLimits, idleMs },
  })
}

/** A table that ends when it is told to. */
function tableThatCloses(closed: Promise<void>): { table: LoginStatsTable; restart: () => void } {
  const { table, restart } = tableOf([])
  table.close = vi.fn(() => closed)
  table.setMaxListeners(0)
  return { table, restart }
}

test('a table that hangs when nobody needs it any more does not keep the next question from its answer', async () => {
  const { table } = tableThatCloses(new Promise(() => undefined))
  const { table: next } = tableThatCloses(Promise.resolve())
  const followed = followedOf([table, next], 0)
  await followed.begin()
  await expect.poll(() => vi.mocked(table.close).mock.calls.length).toBe(1)
  const again = await followed.begin()
  expect(again.table).toBe(next)
  await followed.close()
})

test('it is closed when a table that nobody needed any more is closed too', async () => {
  const closed = Promise.withResolvers<void>()
  const { table } = tableThatCloses(closed.promise)
  const followed = followedOf([table], 0, systemClock)
  await followed.begin()
  await expect.poll(() => vi.mocked(table.close).mock.calls.length).toBe(1)
  let isClosed = false
  const closing = followed.close().then(() => {
    isClosed = true
  })
  await systemClock.yield()
  expect(isClosed).toBe(false)
  closed.resolve()
  await closing
})

test('who waits for the table when it is closed is told at once', async () => {
  const { table, restart } = tableThatCloses(Promise.resolve())
  restart()
  const followed = followedOf([table], 10_000)
  const startedAt = systemClock.monotonic()
  const waiting = followed.complete()
  const refused = expect(waiting).rejects.toMatchObject({ code: 'TABLE_NOT_READ' })
  await systemClock.sleep(50)
  await followed.close()
  await refused
  // Else it would wait five seconds for the table.
  expect(systemClock.monotonic() - startedAt).toBeLessThan(4000)
})

test('a question that comes when it has been closed is told that the process ends', async () => {
  const followed = followedOf([], 10_000)
  await followed.close()
  const expected = { code: 'TABLE_NOT_READ', message: expect.stringContaining('The process ends.') }
  await expect(followed.complete()).rejects.toMatchObject(expected)
})
