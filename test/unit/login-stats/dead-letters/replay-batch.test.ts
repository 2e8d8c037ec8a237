import { describe, expect, it } from 'vitest'
import type { Letter } from '../../../../src/login-stats/dead-letters/letters.ts'
import { ReplayBatch } from '../../../../src/login-stats/dead-letters/replay-batch.ts'
import type { Header, RecordAppender, TransactionalProducer } from '../../../../src/ports/kafka.ts'

const start = { offset: 5, source: -1, time: -1, again: [], vouched: null }

/** A producer whose appenders only count, a hundred bytes for each record. */
function counting() {
  const appended: unknown[][] = []
  const producer = {
    appender: (): RecordAppender => {
      let recordCount = 0
      return {
        append: (...record) => {
          recordCount++
          appended.push(record)
        },
        appendRange: () => expect.fail(),
        get recordCount() {
          return recordCount
        },
        get sizeInBytes() {
          return recordCount * 100
        },
      }
    },
  } as unknown as TransactionalProducer
  return { producer, appended }
}

function letterFrom(partition: number): Letter {
  const ownHeaders: Header[] = [['trace', null]]
  const origin = {
    code: 'NOT_JSON',
    message: '',
    topic: 'in',
    partition,
    offset: 1,
    timestamp: 2,
    truncated: null,
  }
  const own = { key: Buffer.from('k'), value: null, headers: [] }
  return { partition: 0, offset: 5, timestamp: 3, ...own, origin: { ...origin, ownHeaders } }
}

describe('a batch of replayed records', () => {
  it('holds them as they were, in their partitions, or in one that there is', () => {
    const { producer, appended } = counting()
    const batch = new ReplayBatch([start], 4)
    for (const partition of [3, 0, 7]) batch.append(letterFrom(partition), producer, 99)
    const partitions = batch.outgoing('in').map(({ partition, records }) => [partition, records.recordCount])
    expect(partitions).toEqual([
      [{ topic: 'in', partition: 3 }, 2],
      [{ topic: 'in', partition: 0 }, 1],
    ])
    expect(appended[0]).toEqual([Buffer.from('k'), null, 99, [['trace', null]]])
  })

  it('is full by number, sooner where they shall come slowly', () => {
    const batch = new ReplayBatch([start], 1)
    for (let count = 1; count < 500; count++) batch.count('replay')
    expect([batch.isFull(null), batch.isFull(2495), batch.isFull(2496)]).toEqual([false, true, false])
    batch.count('replay')
    expect(batch.isFull(null)).toBe(true)
    expect(batch.next().isFull(1)).toBe(false)
  })

  it('never goes back in a partition', () => {
    const batch = new ReplayBatch([start, start], 1)
    batch.pass(0, 3)
    batch.pass(1, 9)
    expect(batch.next().marks.map(({ offset }) => offset)).toEqual([5, 9])
    expect([...batch.moved]).toEqual([1])
    expect(batch.next().moved.size).toBe(0)
  })
})
