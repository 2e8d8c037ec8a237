import { expect, test } from 'vitest'
import { DeadLetterCounts } from '../../../../src/login-stats/follow/dead-letter-counts.ts'
import type { FetchedRecords, Fetcher, Header, KafkaAdmin, KafkaClient } from '../../../../src/ports/kafka.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { createLogger } from '../../../../src/system/logger.ts'

/** Kafka with one topic of one partition, whose records have these headers `error`. */
function topicOf(codes: readonly (string | null)[]): KafkaClient {
  let at = 0
  const headersOf = (code: string | null): Header[] => (code === null ? [] : [['error', Buffer.from(code)]])
  const records = {
    next: () => {
      const code = codes[at++]
      return code === undefined ? null : { headers: () => headersOf(code) }
    },
  } as unknown as FetchedRecords
  let isPolled = false
  const admin: Partial<KafkaAdmin> = {
    topics: async () => new Map([['dead', { name: 'dead', topicId: 'id', partitionCount: 1 }]]),
    listOffsets: async () => [0],
  }
  const fetcher: Partial<Fetcher> = {
    ...{ onArrival: () => undefined, seek: () => undefined, throwFailure: () => undefined },
    ...{ position: () => at, close: async () => undefined },
    currentAt: () => (isPolled ? systemClock.monotonic() : null),
    poll: () => {
      if (isPolled) return null
      isPolled = true
      return records
    },
  }
  return { admin, fetcher: () => fetcher } as unknown as KafkaClient
}

test('codes of others are told as other where they are many or long, and every letter is counted', async () => {
  const many = Array.from({ length: 150 }, (_, at) => `CODE_${at}`)
  const counts = new DeadLetterCounts({
    ...{ clock: systemClock, log: createLogger({ level: 'silent' }), topic: 'dead' },
    kafka: topicOf([null, 'NOT_JSON', 'x'.repeat(100_000), ...many, 'NOT_JSON']),
  })
  await expect.poll(() => counts.isComplete).toBe(true)
  expect(counts.count).toBe(154)
  expect(counts.byCode.get('NOT_JSON')).toBe(2)
  expect(counts.byCode.get('none')).toBe(1)
  expect(counts.byCode.size).toBeLessThanOrEqual(101)
  expect([...counts.byCode.keys()].filter((code) => code.length > 64)).toEqual([])
  await counts.close()
})
