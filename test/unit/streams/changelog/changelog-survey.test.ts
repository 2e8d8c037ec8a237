import { expect, test } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import type { FetchedRecords, Fetcher, KafkaClient, TopicPartition } from '../../../../src/ports/kafka.ts'
import { encodePartial, markLast } from '../../../../src/streams/aggregate/partial.ts'
import { ChangelogSurvey } from '../../../../src/streams/changelog/changelog-survey.ts'
import { TopicCatalog } from '../../../../src/streams/runtime/topic-catalog.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { twoStageTopology } from '../../../support/two-stage-topology.ts'

const topics = ['input', 'app-repartition', 'app-counts-changelog']
const catalog = new TopicCatalog(
  new Map(topics.map((name) => [name, { name, topicId: name, partitionCount: 1 }])),
  new Map(),
)

/** One partial of input partition 2, which had been read up to offset 7. */
function partials(): FetchedRecords {
  const bytes = encodePartial({ sourcePartition: 2, streamTime: null, offsets: [7] }, null)
  markLast(bytes)
  const record = { bytes, valueStart: 0, valueEnd: bytes.length }
  const left: unknown[] = [record]
  return { nextOffset: 2, next: () => left.shift() ?? null } as unknown as FetchedRecords
}

/** An application whose changelog is empty, and whose repartition topic holds what `poll` gives. */
function survey(
  poll: () => FetchedRecords | null,
  failure: CodedError | null = null,
  purgedBelow = 0,
): ChangelogSurvey {
  const fetcher: Partial<Fetcher> = {
    onArrival: () => undefined,
    seek: () => undefined,
    poll,
    position: () => 0,
    lastStableOffset: () => 2,
    throwFailure: () => {
      if (failure !== null) throw failure
    },
    close: async () => undefined,
  }
  const admin = {
    listOffsets: async ([first]: readonly TopicPartition[], which: string) => [
      first?.topic !== 'app-repartition' ? 0 : which === 'lastStable' ? 2 : purgedBelow,
    ],
  }
  const kafka = { fetcher: () => fetcher, admin } as unknown as KafkaClient
  return new ChangelogSurvey(kafka, systemClock, twoStageTopology())
}

test('what waits in a partition that nobody has counted from tells how far the input was read', async () => {
  const found = survey(partials)
  await found.refresh(catalog)
  expect(found.counted({ topic: 'input', partition: 2 })).toBeNull()
  expect(await found.waiting({ topic: 'input', partition: 2 })).toBe(7)
  expect(await found.waiting({ topic: 'input', partition: 1 })).toBeNull()
})

test('where somebody counts it and has it purged meanwhile, it is to be looked at again', async () => {
  const failure = new CodedError('OFFSET_OUT_OF_RANGE', { operation: 'Fetch' })
  const found = survey(() => null, failure)
  await found.refresh(catalog)
  await expect(found.waiting({ topic: 'input', partition: 2 })).rejects.toMatchObject({ behaviour: 'retry' })
})

test('where all was counted and purged since the changelogs were read, it is to be looked at again', async () => {
  const found = survey(() => null, null, 2)
  await found.refresh(catalog)
  await expect(found.waiting({ topic: 'input', partition: 2 })).rejects.toMatchObject({ behaviour: 'retry' })
})
