import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Compression } from '../../src/kafka/index.ts'
import type { TopicPartition, TransactionalProducer } from '../../src/ports/kafka.ts'
import { codeOf, drain, type PortScenario, type SeenRecord, sendValues } from './port-scenario.ts'

const compressions: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
/** Looks like the key of an abort marker to whoever does not look at the batch's attributes. */
const markerLikeKey = Buffer.alloc(4)

export function fetcherContract(scenario: () => PortScenario): void {
  it('sees exactly the committed records of overlapping transactions, wherever it starts', async () => {
    const step = fc.tuple(fc.nat(2), fc.constantFrom('send', 'send', 'commit', 'abort'), fc.boolean())
    for (const steps of fc.sample(fc.array(step, { minLength: 25, maxLength: 25 }), 3)) {
      const partition = await scenario().partition()
      const committed = await writeHistory(scenario(), partition, steps)
      const [end = 0] = await scenario().client.admin.listOffsets([partition], 'highWatermark')
      for (let start = 0; start <= end; start++) {
        const expected = committed.filter(({ offset }) => offset >= start)
        expect(await scenario().read(partition, start), `from ${start} of ${JSON.stringify(steps)}`).toEqual(
          expected,
        )
      }
    }
  })

  it('stops at the last stable offset while a transaction is open', async () => {
    const partition = await scenario().partition()
    const first = await scenario().producer()
    const second = await scenario().producer()
    await sendValues(first, partition, ['open'])
    await sendValues(second, partition, ['committed behind it'])
    await second.commit()
    const { admin } = scenario().client
    await scenario().until(
      async () => (await admin.listOffsets([partition], 'highWatermark'))[0] === 3,
      'end',
    )
    expect(await admin.listOffsets([partition], 'lastStable')).toEqual([0])
    const fetcher = scenario().fetcher()
    fetcher.seek(partition, 0)
    expect(fetcher.lastStableOffset(partition)).toBeNull()
    await scenario().until(() => fetcher.lastStableOffset(partition) !== null, 'the first answer is there')
    expect(drain(fetcher)).toEqual([])
    expect([fetcher.position(partition), fetcher.lastStableOffset(partition)]).toEqual([0, 0])
    await first.commit()
    const seen: SeenRecord[] = []
    await scenario().until(() => seen.push(...drain(fetcher)) === 2, 'both are seen')
    await scenario().until(() => fetcher.position(partition) === 4, 'the marker is passed')
    expect(fetcher.lastStableOffset(partition)).toBe(4)
  })

  it('tells of positions that move past markers and aborted records alone', async () => {
    const partition = await scenario().partition()
    const producer = await scenario().producer()
    const fetcher = scenario().fetcher()
    let arrivals = 0
    fetcher.onArrival(() => {
      arrivals++
    })
    fetcher.seek(partition, 0)
    await scenario().until(() => arrivals === 1, 'the first answer is told of')
    await sendValues(producer, partition, ['a', 'b'])
    await producer.abort()
    await scenario().until(() => fetcher.position(partition) === 3, 'the marker is passed')
    expect(arrivals).toBeGreaterThan(1)
    expect(drain(fetcher)).toEqual([])
    expect(fetcher.lastStableOffset(partition)).toBe(3)
  })

  it('refuses to read where there is nothing any more', async () => {
    const partition = await scenario().partition()
    const producer = await scenario().producer()
    await sendValues(producer, partition, ['a', 'b', 'c'])
    await producer.commit()
    const { admin } = scenario().client
    await admin.deleteRecords([{ partition, offset: 2 }])
    expect(await admin.listOffsets([partition], 'earliest')).toEqual([2])
    for (const offset of [1, 99]) {
      const fetcher = scenario().fetcher()
      let code: string | null = null
      fetcher.seek(partition, offset)
      await scenario().until(async () => {
        code = await codeOf(() => fetcher.throwFailure())
        return code !== null
      }, 'the failure is there')
      expect(code).toBe('OFFSET_OUT_OF_RANGE')
      expect(await codeOf(() => fetcher.throwFailure())).toBeNull()
      fetcher.seek(partition, 2)
      const seen: SeenRecord[] = []
      await scenario().until(() => seen.push(...drain(fetcher)) > 0, 'it goes on after a seek')
      expect(seen).toEqual([{ offset: 2, value: 'c' }])
      await fetcher.close()
    }
  })

  it('drops what was fetched before a seek', async () => {
    const partition = await scenario().partition()
    const producer = await scenario().producer()
    for (let i = 0; i < 10; i++) {
      await sendValues(producer, partition, [`${i}`])
      await producer.commit()
    }
    const fetcher = scenario().fetcher()
    for (let round = 0; round < 20; round++) {
      const start = (round * 7) % 10
      fetcher.seek(partition, 0)
      await scenario().port.clock.sleep(round % 4)
      fetcher.seek(partition, 2 * start)
      const seen: SeenRecord[] = []
      await scenario().until(() => {
        seen.push(...drain(fetcher))
        return fetcher.position(partition) === 20
      }, 'all is read')
      expect(seen.map(({ value }) => Number(value))).toEqual(
        Array.from({ length: 10 - start }, (_, i) => start + i),
      )
    }
  })

  it('gives nothing of a partition that is paused or removed, and goes on without a gap', async () => {
    const topic = await scenario().topic(2)
    const [paused, other] = [0, 1].map((partition) => ({ topic, partition })) as [
      TopicPartition,
      TopicPartition,
    ]
    const producer = await scenario().producer()
    const fetcher = scenario().fetcher()
    fetcher.seek(paused, 0)
    fetcher.seek(other, 0)
    fetcher.pause(paused)
    await sendValues(producer, paused, ['a'])
    await sendValues(producer, other, ['b'])
    await producer.commit()
    const seen: SeenRecord[] = []
    await scenario().until(() => seen.push(...drain(fetcher)) > 0, 'the other one is read')
    await scenario().port.clock.sleep(100)
    expect([...seen, ...drain(fetcher)].map(({ value }) => value)).toEqual(['b'])
    fetcher.resume(paused)
    fetcher.remove(other)
    await sendValues(producer, paused, ['c'])
    await sendValues(producer, other, ['d'])
    await producer.commit()
    const later: SeenRecord[] = []
    await scenario().until(() => later.push(...drain(fetcher)) === 2, 'both of the first are read')
    expect(later.map(({ value }) => value)).toEqual(['a', 'c'])
  })

  it('does not let a partition wait for the silence of another', async () => {
    const topic = await scenario().topic(3)
    const [busy, silent, late] = [0, 1, 2].map((partition) => ({ topic, partition })) as [
      TopicPartition,
      TopicPartition,
      TopicPartition,
    ]
    const producer = await scenario().producer()
    const fetcher = scenario().fetcher({ maxWaitMs: 20_000 })
    fetcher.seek(silent, 0)
    fetcher.seek(busy, 0)
    await scenario().until(() => fetcher.lastStableOffset(busy) === 0, 'all is read')
    const { clock } = scenario().port
    await clock.sleep(50)
    const startedAt = clock.monotonic()
    for (const partition of [busy, busy, busy, late, late]) {
      if (partition === late && fetcher.lastStableOffset(late) === null) fetcher.seek(late, 0)
      await sendValues(producer, partition, ['x'])
      await producer.commit()
      await scenario().until(() => drain(fetcher).length > 0, 'it arrives')
    }
    expect(clock.monotonic() - startedAt).toBeLessThan(15_000)
  })

  it('holds one chunk per partition, however much there is', async () => {
    const partition = await scenario().partition()
    const producer = await scenario().producer()
    for (let i = 0; i < 4; i++) await sendValues(producer, partition, [`${i}`.repeat(50_000)])
    await producer.commit()
    await scenario().until(async () => (await scenario().read(partition)).length === 4, 'the commit is seen')
    const fetcher = scenario().fetcher({ maxBytesPerPartition: 1000 })
    let arrivals = 0
    fetcher.onArrival(() => {
      arrivals++
    })
    fetcher.seek(partition, 0)
    const chunks: number[] = []
    for (let i = 0; i < 4; i++) {
      await scenario().until(() => arrivals > i, 'a chunk arrives')
      await scenario().port.clock.sleep(50)
      expect(arrivals).toBe(i + 1)
      const chunk = fetcher.poll()
      chunks.push(chunk?.recordCount ?? 0)
      expect(fetcher.poll()).toBeNull()
    }
    expect(chunks).toEqual([1, 1, 1, 1])
  })

  it('says so where the topic does not exist', async () => {
    const fetcher = scenario().fetcher()
    fetcher.seek({ topic: scenario().port.uniqueName('missing'), partition: 0 }, 0)
    let code: string | null = null
    await scenario().until(async () => {
      code = await codeOf(() => fetcher.throwFailure())
      return code !== null
    }, 'the failure is there')
    expect(code).toBe('TOPIC_MISSING')
  })

  for (const compression of compressions) {
    it(`reads what was written with compression ${compression}`, async () => {
      const partition = await scenario().partition()
      const producer = await scenario().producer(scenario().newClient({ compression }))
      const values = Array.from({ length: 200 }, (_, i) => `value ${i} `.repeat(i % 7))
      await sendValues(producer, partition, values)
      await producer.commit()
      await scenario().until(
        async () => (await scenario().values(partition)).length > 0,
        'the commit is seen',
      )
      expect(await scenario().values(partition)).toEqual(values)
    })
  }
}

/** Three producers do `steps`; what is open at the end is aborted. Returns what was committed, in order of offset. */
async function writeHistory(
  scenario: PortScenario,
  partition: TopicPartition,
  steps: readonly (readonly [who: number, what: string, likeMarker: boolean])[],
): Promise<SeenRecord[]> {
  const producers = [await scenario.producer(), await scenario.producer(), await scenario.producer()]
  const open = producers.map((): SeenRecord[] => [])
  const committed: SeenRecord[] = []
  for (const [number, [who, what, likeMarker]] of steps.entries()) {
    const producer = producers[who] as TransactionalProducer
    const pending = open[who] as SeenRecord[]
    if (what === 'send') {
      const value = `${number} by ${who}`
      const offset = (await sendValues(producer, partition, [value], likeMarker ? markerLikeKey : null)) - 1
      pending.push({ offset, value })
    } else if (pending.length > 0) {
      if (what === 'commit') committed.push(...pending)
      await (what === 'commit' ? producer.commit() : producer.abort())
      pending.length = 0
    }
  }
  for (const producer of producers) await producer.abort()
  const { admin } = scenario.client
  await scenario.until(async () => {
    const [highWatermark] = await admin.listOffsets([partition], 'highWatermark')
    return highWatermark === (await admin.listOffsets([partition], 'lastStable'))[0]
  }, 'no transaction is open')
  return committed.sort((a, b) => a.offset - b.offset)
}
