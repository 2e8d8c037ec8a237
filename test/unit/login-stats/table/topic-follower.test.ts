import { expect, test } from 'vitest'
import { TopicFollower } from '../../../../src/login-stats/table/topic-follower.ts'
import type { Fetcher, KafkaAdmin, KafkaClient, TopicInfo } from '../../../../src/ports/kafka.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { createLogger } from '../../../../src/system/logger.ts'

const topic = 'table'

/** Kafka with one empty topic, which may be taken away. It answers at once, and counts how often it is asked for the topic. */
class EmptyTopic {
  isThere = true
  lookUps = 0

  client(): KafkaClient {
    const info: TopicInfo = { name: topic, topicId: 'id', partitionCount: 1 }
    const admin: Partial<KafkaAdmin> = {
      topics: async () => {
        this.lookUps += 1
        await systemClock.yield()
        return new Map(this.isThere ? [[topic, info]] : [])
      },
      listOffsets: async () => [0],
    }
    const fetcher: Partial<Fetcher> = {
      ...{ onArrival: () => undefined, seek: () => undefined, throwFailure: () => undefined },
      ...{ poll: () => null, position: () => 0, close: async () => undefined },
      currentAt: () => systemClock.monotonic(),
    }
    return { admin, fetcher: () => fetcher } as unknown as KafkaClient
  }
}

test('a topic that is gone is told at once, looked for once a second, and makes what was read older until it is back', async () => {
  const kafka = new EmptyTopic()
  const follower = new TopicFollower({
    ...{ kafka: kafka.client(), clock: systemClock, log: createLogger({ level: 'silent' }), topic },
    ...{ isCompacted: true, take: () => undefined, restart: () => undefined },
  })
  follower.start()
  try {
    await follower.complete
    kafka.isThere = false
    const before = kafka.lookUps
    const goneAt = systemClock.monotonic()
    await expect.poll(() => follower.failure?.code).toBe('TOPIC_MISSING')
    // Time for more than one look-up; it may take longer than it should.
    await systemClock.sleep(2500)
    const goneForMs = systemClock.monotonic() - goneAt
    expect(kafka.lookUps - before).toBeLessThanOrEqual(1 + Math.floor(goneForMs / 1000))
    expect(follower.isComplete).toBe(true)
    expect(follower.ageMs).toBeGreaterThan(2000)
    kafka.isThere = true
    await expect.poll(() => follower.failure).toBeNull()
    await expect.poll(() => follower.ageMs).toBeLessThan(1500)
  } finally {
    await follower.close()
  }
})

test.each([
  { isCompacted: true, restarts: 1 },
  { isCompacted: false, restarts: 0 },
])(
  'a machine that slept for half a day reads a compacted topic anew: isCompacted $isCompacted',
  async ({ isCompacted, restarts }) => {
    let [sleptMs, begun] = [0, 0]
    // The monotonic clock stands still meanwhile.
    const clock = { ...systemClock, now: () => systemClock.now() + sleptMs }
    const follower = new TopicFollower({
      ...{ kafka: new EmptyTopic().client(), clock, log: createLogger({ level: 'silent' }), topic },
      ...{ isCompacted, take: () => undefined },
      restart: () => {
        begun += 1
      },
    })
    follower.start()
    try {
      await follower.complete
      sleptMs = 6 * 3_600_000
      await systemClock.sleep(500)
      expect(begun).toBe(0)
      sleptMs += 13 * 3_600_000
      await systemClock.sleep(500)
      await expect.poll(() => [begun, follower.isComplete]).toEqual([restarts, true])
    } finally {
      await follower.close()
    }
  },
)
