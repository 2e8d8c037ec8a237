import { expect, test } from 'vitest'
import type { KafkaAdmin, TopicPartition } from '../../../../src/ports/kafka.ts'
import { assertPartialsWritten } from '../../../../src/streams/runtime/partials-check.ts'
import { TopicCatalog } from '../../../../src/streams/runtime/topic-catalog.ts'
import { encodeOffsetMetadata } from '../../../../src/streams/task/offset-metadata.ts'
import { twoStageTopology } from '../../../support/two-stage-topology.ts'

const topology = twoStageTopology()

const names = ['input', 'app-repartition', 'app-counts-changelog']
const catalog = new TopicCatalog(
  new Map(names.map((name) => [name, { name, topicId: name, partitionCount: 2 }])),
  new Map(),
)

/** `metadata`: of the committed offsets of the input's partitions. `ends`: of the repartition topic. */
function check(metadata: readonly (string | null)[], ends: readonly number[]): Promise<void> {
  const admin: Partial<KafkaAdmin> = {
    groupOffsets: async (_group: string, partitions: readonly TopicPartition[]) =>
      partitions.map((partition) => {
        const text = metadata[partition.partition] ?? null
        return text === null ? null : { partition, offset: 7, metadata: text }
      }),
    listOffsets: async (partitions: readonly TopicPartition[]) =>
      partitions.map(({ partition }) => ends[partition] ?? 0),
  }
  return assertPartialsWritten(admin as KafkaAdmin, topology, catalog)
}

const read = encodeOffsetMetadata(1_694_479_551_000)

test('offsets of events of which no partial was ever written stop the start', async () => {
  await expect(check([null, read], [0, 0])).rejects.toMatchObject({
    code: 'TOPIC_RECREATED',
    message: expect.stringMatching(/app-repartition.* input\/1 up to 7/),
  })
})

test.each([
  ['a group that has committed nothing', [null, null], [0, 0]],
  ['partials that have been written, and purged since', [read, read], [0, 3]],
  ['a group that has read no event yet', [encodeOffsetMetadata(null), null], [0, 0]],
  ['offsets that a person has set to begin there', ['', null], [0, 0]],
])('%s may start', async (_what, metadata, ends) => {
  await check(metadata, ends)
})
