import { expect, test } from 'vitest'
import type { Aggregate } from '../../../../src/streams/aggregate/aggregate.ts'
import { Combiner } from '../../../../src/streams/aggregate/combiner.ts'
import { decodePartial, type PartialHeader } from '../../../../src/streams/aggregate/partial.ts'
import type { ProcessorContext } from '../../../../src/streams/topology/processor.ts'

/** A combiner of source partition 4 that has nothing to add, and what it sends: partition and header. */
function combinerAt(streamTime: () => number | null) {
  const sent: { partition: number; header: PartialHeader }[] = []
  const sink = {
    partitionCount: 3,
    sendTo: (partition: number, _key: Buffer | null, value: Buffer) => {
      sent.push({ partition, header: decodePartial(value, 0, value.length).header })
    },
  }
  const context = { partition: 4, now: () => 1_000_000, streamTime, sink: () => sink }
  const combiner = new Combiner(
    context as unknown as ProcessorContext,
    {} as Aggregate<unknown, unknown>,
    { keyCount: 0, drain: () => {} },
    { sink: 'partials', sourceTopics: ['input'] },
  )
  const flush = (offset: number): void =>
    combiner.flush({ caughtUp: true, inputOffsets: { input: offset }, oldestRecordAt: null })
  return { combiner, sent, flush }
}

test('before there is a stream time, how far the source was read is told once, to one partition', () => {
  let streamTime: number | null = null
  const { combiner, sent, flush } = combinerAt(() => streamTime)
  flush(7)
  flush(9)
  expect(combiner.wantsCommit()).toBe(false)
  const header = { isLast: true, hasDelta: false, sourcePartition: 4, streamTime: null, offsets: [7] }
  expect(sent).toEqual([{ partition: 1, header }])
  streamTime = 5000
  expect(combiner.wantsCommit()).toBe(true)
  flush(12)
  const later = { ...header, streamTime: 5000, offsets: [12] }
  expect(sent.slice(1)).toEqual([0, 1, 2].map((partition) => ({ partition, header: later })))
})

test('stream time goes to all partitions, and nothing else to any', () => {
  const { sent, flush } = combinerAt(() => 5000)
  flush(7)
  flush(9)
  expect(sent.map(({ partition }) => partition)).toEqual([0, 1, 2])
})
