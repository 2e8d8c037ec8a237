import { describe, expect, it } from 'vitest'
import { GroupCommits, offsetsPartition } from '../../../bench/measure/group-commits.ts'
import { makeBatch } from '../verify/batches.ts'

/** The key of a committed offset, all of whose numbers are small. */
function keyOf(group: string, topic: string, partition: number): string {
  const field = (text: string) => `\0${String.fromCharCode(text.length)}${text}`
  return `\0\x01${field(group)}${field(topic)}\0\0\0${String.fromCharCode(partition)}`
}

function committed(offset: number): Buffer {
  const value = Buffer.alloc(20)
  value.writeBigInt64BE(BigInt(offset), 2)
  return value
}

/** A partition of offsets, batch by batch. */
class Offsets {
  bytes = Buffer.alloc(0)
  #next = 0

  commit(producerId: number, group: string, topic: string, offsets: Readonly<Record<number, number>>): this {
    const records = Object.entries(offsets).map(([partition, offset]) => ({
      key: keyOf(group, topic, Number(partition)),
      value: committed(offset),
    }))
    return this.#add({ producerId, transactional: true, records })
  }

  end(producerId: number, type: 'abort' | 'commit', timestamp: number): this {
    const key = type === 'commit' ? '\0\0\0\x01' : '\0\0\0\0'
    const records = [{ key, value: Buffer.alloc(6), timestamp }]
    return this.#add({ producerId, transactional: true, control: true, records })
  }

  #add(batch: Omit<Parameters<typeof makeBatch>[0], 'baseOffset'>): this {
    this.bytes = Buffer.concat([this.bytes, makeBatch({ baseOffset: this.#next, ...batch })])
    this.#next += batch.records.length
    return this
  }
}

async function commitsIn({ bytes }: Offsets) {
  const group = new GroupCommits('app', 'logins')
  await group.add(bytes, 0)
  return group.commits
}

describe('GroupCommits', () => {
  it('has each transaction with the time of its marker, and how far it has moved the input', async () => {
    const offsets = new Offsets()
      .commit(1, 'app', 'logins', { 0: 100, 1: 7 })
      .end(1, 'commit', 5000)
      .commit(1, 'app', 'logins', { 0: 130 })
      .end(1, 'commit', 5100)
    expect(await commitsIn(offsets)).toEqual([
      { time: 5000, logins: 107 },
      { time: 5100, logins: 30 },
    ])
  })

  it('keeps transactions apart that are open at the same time', async () => {
    const offsets = new Offsets()
      .commit(1, 'app', 'logins', { 0: 10 })
      .commit(2, 'app', 'logins', { 1: 3 })
      .end(2, 'commit', 5000)
      .end(1, 'commit', 5001)
    expect(await commitsIn(offsets)).toEqual([
      { time: 5000, logins: 3 },
      { time: 5001, logins: 10 },
    ])
  })

  it('counts what an aborted transaction has read when it is committed at last', async () => {
    const offsets = new Offsets()
      .commit(1, 'app', 'logins', { 0: 10 })
      .end(1, 'abort', 5000)
      .commit(1, 'app', 'logins', { 0: 12 })
      .end(1, 'commit', 5001)
    expect(await commitsIn(offsets)).toEqual([{ time: 5001, logins: 12 }])
  })

  it('counts a transaction that moves another topic only as a commit of nothing', async () => {
    const offsets = new Offsets().commit(1, 'app', 'counts', { 0: 10 }).end(1, 'commit', 5000)
    expect(await commitsIn(offsets)).toEqual([{ time: 5000, logins: 0 }])
  })

  it('leaves out other groups, and markers of transactions that it has not seen', async () => {
    const offsets = new Offsets()
      .end(9, 'commit', 4000)
      .commit(1, 'other', 'logins', { 0: 10 })
      .end(1, 'commit', 5000)
    expect(await commitsIn(offsets)).toEqual([])
  })

  it('goes on behind the last whole batch, and takes none twice', async () => {
    const offsets = new Offsets().commit(1, 'app', 'logins', { 0: 10 }).end(1, 'commit', 5000)
    const group = new GroupCommits('app', 'logins')
    const next = await group.add(offsets.bytes.subarray(0, offsets.bytes.length - 1), 0)
    expect(next).toBe(1)
    expect(group.commits).toEqual([])
    expect(await group.add(offsets.bytes, next)).toBe(2)
    expect(group.commits).toEqual([{ time: 5000, logins: 10 }])
  })
})

describe('offsetsPartition', () => {
  it.each([
    // Their hashes in Java: 99162322, -1910022912, and the one whose amount is no int.
    ['hello', 22],
    ['zzzzzzzz', 12],
    ['polygenelubricants', 0],
  ])('%s is in partition %d of 50, as for the coordinator', (group, expected) => {
    expect(offsetsPartition(group, 50)).toBe(expected)
  })
})
