import { describe, expect, it } from 'vitest'
import {
  type SourceRecord,
  type WriteOptions,
  type Written,
  writeRecords,
} from '../../../../src/login-stats/commands/record-writer.ts'
import type { KafkaClient, Outgoing } from '../../../../src/ports/kafka.ts'

/** A port that remembers what was committed: by transaction, the runs with their partition and values. */
function recorder(partitionCount: number) {
  const transactions: { partition: number; values: string[] }[][] = []
  let sent: { partition: number; values: string[] }[] = []
  const appender = () => {
    const values: string[] = []
    return {
      values,
      sizeInBytes: 0,
      append(_key: null, value: Buffer) {
        values.push(value.toString())
        this.sizeInBytes += value.length
      },
    }
  }
  const producer = {
    init: async () => undefined,
    appender,
    send: async (outgoing: readonly Outgoing[]) => {
      sent = outgoing.map(({ partition, records }) => ({
        partition: partition.partition,
        values: (records as unknown as { values: string[] }).values,
      }))
      return []
    },
    commit: async () => {
      transactions.push(sent)
    },
    close: () => undefined,
  }
  const kafka = {
    admin: { topics: async () => new Map([['in', { name: 'in', partitionCount }]]) },
    producer: () => producer,
  } as unknown as KafkaClient
  return { kafka, transactions }
}

/** Time that passes only while somebody sleeps. */
function sleepingClock() {
  let nowMs = 0
  return {
    monotonic: () => nowMs,
    sleep: async (delayMs: number) => {
      nowMs += delayMs
    },
  } as unknown as WriteOptions['clock']
}

function* numbers(end: number, bytes = 0): Generator<SourceRecord> {
  for (let at = 0; at < end; at++)
    yield { value: Buffer.from(`${at}`.padEnd(bytes)), valid: at % 10 > 0, timestampMs: 1 }
}

async function write(
  source: Iterable<SourceRecord>,
  partitionCount: number,
  options: Partial<WriteOptions> = {},
) {
  const { kafka, transactions } = recorder(partitionCount)
  const totals: Written[] = []
  await writeRecords(source, {
    kafka,
    clock: sleepingClock(),
    topic: 'in',
    transactionalId: 'id',
    rate: null,
    count: Number.POSITIVE_INFINITY,
    isStopped: () => false,
    onWritten: (total) => totals.push(total),
    ...options,
  })
  return { transactions, totals }
}

describe('writeRecords', () => {
  it('writes each record once, in transactions of at most 10,000', async () => {
    const { transactions, totals } = await write(numbers(25_000), 4)
    expect(transactions).toHaveLength(3)
    const values = transactions.flat().flatMap((run) => run.values)
    expect(values).toEqual(Array.from({ length: 25_000 }, (_, at) => `${at}`))
    expect(totals.at(-1)).toEqual({ records: 25_000, invalid: 2500 })
  })

  it('gives every partition its share', async () => {
    const { transactions } = await write(numbers(10_000), 4)
    expect(transactions[0]?.map(({ partition, values }) => [partition, values.length])).toEqual([
      [0, 2500],
      [1, 2500],
      [2, 2500],
      [3, 2500],
    ])
  })

  it('gives every partition its share also of few records at a time', async () => {
    const { transactions } = await write(numbers(40), 4, { rate: 5 })
    expect(transactions.length).toBeGreaterThan(30)
    const shares = [0, 0, 0, 0]
    for (const { partition, values } of transactions.flat()) shares[partition]! += values.length
    expect(shares).toEqual([10, 10, 10, 10])
  })

  it('keeps to its rate', async () => {
    const clock = sleepingClock()
    const { totals } = await write(numbers(100_000), 1, { rate: 1000, count: 5000, clock })
    expect(totals.at(-1)?.records).toBe(5000)
    expect(clock.monotonic()).toBeGreaterThanOrEqual(4500)
    expect(clock.monotonic()).toBeLessThanOrEqual(5000)
  })

  it('keeps its batches below what a topic takes', async () => {
    const { transactions } = await write(numbers(3000, 1000), 1)
    for (const { values } of transactions.flat()) expect(values.join('').length).toBeLessThan(600_000)
  })

  it('stops after the count, or when it is told to', async () => {
    expect((await write(numbers(100_000), 4, { count: 12_345 })).totals.at(-1)?.records).toBe(12_345)
    expect((await write(numbers(100_000), 4, { count: 0 })).totals).toEqual([])
    let asked = 0
    const { totals } = await write(numbers(100_000), 4, { isStopped: () => asked++ === 2 })
    expect(totals.at(-1)?.records).toBe(20_000)
  })

  it('needs the topic to be there', async () => {
    const { kafka } = recorder(1)
    await expect(write(numbers(1), 1, { kafka, topic: 'other' })).rejects.toMatchObject({
      code: 'TOPIC_MISSING',
    })
  })
})
