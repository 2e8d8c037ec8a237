import { beforeEach, describe, expect, test } from 'vitest'
import type { FetchedRecords, Fetcher, TopicPartition } from '../../../../src/ports/kafka.ts'
import { PartitionGroup } from '../../../../src/streams/task/partition-group.ts'

const input: TopicPartition = { topic: 'logins', partition: 3 }

/** Remembers what it was asked for; its position and end are set by the test. */
class RecordingFetcher implements Fetcher {
  calls: string[] = []
  end: number | null = null
  next = 0
  seek(_partition: TopicPartition, offset: number): void {
    this.calls.push(`seek ${offset}`)
    this.next = offset
  }
  remove(): void {
    this.calls.push('remove')
  }
  pause(): void {
    this.calls.push('pause')
  }
  resume(): void {
    this.calls.push('resume')
  }
  poll(): FetchedRecords | null {
    return null
  }
  onArrival(): void {}
  throwFailure(): void {}
  lastStableOffset(): number | null {
    return this.end
  }
  currentAt(): number | null {
    return null
  }
  position(): number {
    return this.next
  }
  async close(): Promise<void> {}
}

function chunk(nextOffset: number): FetchedRecords {
  return {
    ...input,
    recordCount: 0,
    sizeInBytes: 0,
    next: () => null,
    nextOffset,
    lastStableOffset: 100,
    logStartOffset: 0,
  }
}

let fetcher: RecordingFetcher
let group: PartitionGroup

beforeEach(() => {
  fetcher = new RecordingFetcher()
  group = new PartitionGroup([input], fetcher)
  group.start({ logins: 10 })
})

describe('a partition group', () => {
  test('starts where the commit left off, and has not moved', () => {
    expect(fetcher.calls).toEqual(['seek 10'])
    expect(group.position('logins')).toBe(10)
    expect(group.hasMoved).toBe(false)
  })

  test('pauses a partition with a chunk waiting beyond the one under work, and resumes it', () => {
    group.add(chunk(20))
    expect(fetcher.calls).not.toContain('pause')
    group.add(chunk(30))
    expect(fetcher.calls.at(-1)).toBe('pause')
    group.passCurrent()
    expect(fetcher.calls.at(-1)).toBe('resume')
    expect(group.position('logins')).toBe(20)
  })

  test('is caught up only when nothing waits and the last stable offset is reached', () => {
    group.passUnseen()
    expect(group.isCaughtUp).toBe(false)
    fetcher.end = 30
    fetcher.next = 30
    group.add(chunk(30))
    group.passUnseen()
    expect(group.isCaughtUp).toBe(false)
    group.passCurrent()
    group.passUnseen()
    expect(group.isCaughtUp).toBe(true)
    fetcher.end = 31
    group.passUnseen()
    expect(group.isCaughtUp).toBe(false)
    expect(group.lag).toBe(1)
  })

  test('moves past what no reader may see, so that it can be committed', () => {
    fetcher.end = 15
    fetcher.next = 15
    group.passUnseen()
    expect(group.isCaughtUp).toBe(true)
    expect(group.position('logins')).toBe(15)
    expect(group.hasMoved).toBe(true)
    group.noteCommitted([{ partition: input, offset: 15, metadata: '' }])
    expect(group.hasMoved).toBe(false)
    expect(group.committed()).toEqual([{ partition: input, offset: 15 }])
  })

  test('does not move past what has been fetched and not yet been polled', () => {
    fetcher.end = 40
    // The next chunk to be polled begins at 12.
    fetcher.next = 12
    group.passUnseen()
    expect(group.isCaughtUp).toBe(false)
    expect(group.position('logins')).toBe(12)
  })
})
