import { expect, it } from 'vitest'
import type { TopicPartition } from '../../src/ports/kafka.ts'
import { drain, type PortScenario, type SeenRecord } from './port-scenario.ts'

/** A cleaner that starts every 15 s (Kafka's default) must have had its turn. */
const compactionLimitMs = 60_000
const rounds = 12
/** The last one too: neither may its records take the place of those before them. */
const isAborted = (round: number): boolean => round % 3 === 2
const committedRounds = Array.from({ length: rounds }, (_, round) => round).filter(
  (round) => !isAborted(round),
)
const lastCommitted = committedRounds.at(-1)
const written = committedRounds.length * 3

export function compactionContract(scenario: () => PortScenario): void {
  it('reads a compacted partition to its end, past batches that compaction has emptied, and nothing of aborted ones', async () => {
    const topic = await scenario().topic(1, {
      'cleanup.policy': 'compact',
      'segment.ms': '50',
      'min.cleanable.dirty.ratio': '0.01',
      'min.compaction.lag.ms': '0',
      'max.compaction.lag.ms': '100',
      'delete.retention.ms': '0',
    })
    const partition = { topic, partition: 0 }
    // Each producer's last batch is kept, emptied, for its sequence numbers: every round leaves one behind.
    for (let round = 0; round < rounds; round++) {
      await writeKeys(scenario(), partition, round)
      await scenario().port.clock.sleep(60)
    }
    const [end = 0] = await scenario().client.admin.listOffsets([partition], 'highWatermark')
    let seen: SeenRecord[] = []
    await scenario().until(
      async () => {
        seen = await readInSmallSteps(scenario(), partition, end)
        return seen.length < written
      },
      'the partition is compacted',
      compactionLimitMs,
    )
    const last = new Map(seen.map(({ value }) => [value?.split(' ')[0], value]))
    expect([...last.values()].sort()).toEqual([0, 1, 2].map((key) => `${key} of ${lastCommitted}`))
    // From every offset on, also from those that are gone.
    for (let start = 0; start <= end; start += 3) {
      const expected = seen.filter(({ offset }) => offset >= start).map(({ offset }) => offset)
      const offsets = (await scenario().read(partition, start)).map(({ offset }) => offset)
      expect(expected).toEqual(expect.arrayContaining(offsets))
      expect(offsets.at(-1)).toBe(expected.at(-1))
    }
  })
}

async function writeKeys(scenario: PortScenario, partition: TopicPartition, round: number): Promise<void> {
  const producer = await scenario.producer()
  const records = producer.appender()
  for (const key of [0, 1, 2]) {
    records.append(Buffer.from(`${key}`), Buffer.from(`${key} of ${round}`), scenario.port.clock.now())
  }
  await producer.send([{ partition, records }])
  await (isAborted(round) ? producer.abort() : producer.commit())
}

async function readInSmallSteps(
  scenario: PortScenario,
  partition: TopicPartition,
  end: number,
): Promise<SeenRecord[]> {
  const fetcher = scenario.client.fetcher({ maxBytesPerPartition: 1 })
  const seen: SeenRecord[] = []
  fetcher.seek(partition, 0)
  await scenario.until(() => {
    seen.push(...drain(fetcher))
    return fetcher.position(partition) >= end
  }, 'the position passes the end')
  await fetcher.close()
  return seen
}
