import { expect, test } from 'vitest'
import type { Fetcher, KafkaClient } from '../../../../src/ports/kafka.ts'
import { readPartition } from '../../../../src/streams/changelog/partition-reader.ts'
import { systemClock } from '../../../../src/system/clock.ts'

const partition = { topic: 'changelog', partition: 0 }

/**
 * Of a partition where nothing may be read between offset 5 and what `lastStable` says; `asked` is what the broker says where it is
 * asked for the last stable offset by itself.
 */
function kafkaWith(lastStable: () => number, asked = lastStable): KafkaClient {
  const fetcher: Partial<Fetcher> = {
    onArrival: () => undefined,
    seek: () => undefined,
    poll: () => null,
    position: lastStable,
    lastStableOffset: lastStable,
    throwFailure: () => undefined,
    close: async () => undefined,
  }
  const admin = { listOffsets: async () => [asked()] }
  return { fetcher: () => fetcher, admin } as unknown as KafkaClient
}

const onRecords = () => undefined

test('a transaction that nobody ends is waited for so long, and then told', async () => {
  const reading = readPartition({
    kafka: kafkaWith(() => 5),
    clock: systemClock,
    partition,
    from: 5,
    to: 9,
    onRecords,
    maxHeldBackMs: 300,
  })
  await expect(reading).rejects.toMatchObject({ code: 'TRANSACTION_HANGING', details: { offset: 5 } })
})

test('a transaction that ends in that time is no matter', async () => {
  const start = systemClock.monotonic()
  const kafka = kafkaWith(() => (systemClock.monotonic() - start > 300 ? 9 : 5))
  await readPartition({
    kafka,
    clock: systemClock,
    partition,
    from: 5,
    to: 9,
    onRecords,
    maxHeldBackMs: 5000,
  })
})

test('an end that is only not heard of, because nobody answers, is no hanging transaction', async () => {
  const start = systemClock.monotonic()
  const isBack = () => systemClock.monotonic() - start > 500
  const reading = readPartition({
    kafka: kafkaWith(
      () => (isBack() ? 9 : 5),
      () => 9,
    ),
    clock: systemClock,
    partition,
    from: 5,
    to: 9,
    onRecords,
    maxHeldBackMs: 200,
  })
  await expect(reading).resolves.toBeUndefined()
})

test('a transaction that is open below the position is waited for, though nothing is to be read', async () => {
  const reading = (maxHeldBackMs: number, isOpen: () => boolean) =>
    readPartition({
      kafka: kafkaWith(
        () => 9,
        () => (isOpen() ? 5 : 9),
      ),
      clock: systemClock,
      partition,
      from: 9,
      to: 9,
      onRecords,
      maxHeldBackMs,
    })
  const start = systemClock.monotonic()
  await reading(5000, () => systemClock.monotonic() - start < 250)
  expect(systemClock.monotonic() - start).toBeGreaterThanOrEqual(250)
  await expect(reading(200, () => true)).rejects.toMatchObject({
    code: 'TRANSACTION_HANGING',
    details: { offset: 5 },
  })
})
