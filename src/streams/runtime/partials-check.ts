import { CodedError } from '../../errors.ts'
import { type KafkaAdmin, partitionsOf } from '../../ports/kafka.ts'
import { highestEventTimeOf } from '../task/offset-metadata.ts'
import type { Topology } from '../topology/topology.ts'
import type { TopicCatalog } from './topic-catalog.ts'

/**
 * Where the changelog and the repartition topic have both been deleted, no meta record is left to tell so. But the group's offsets still
 * say that events were read; the transaction that committed them wrote a partial of them, and a high watermark never goes back. An
 * offset that a person has set says nothing of events. Throws TOPIC_RECREATED.
 */
export async function assertPartialsWritten(
  admin: KafkaAdmin,
  topology: Topology,
  catalog: TopicCatalog,
): Promise<void> {
  const allOf = (topic: string) => partitionsOf(topic, catalog.partitionCount(topic))
  for (const { sources, sinks } of topology.subtopologies) {
    const repartition = sinks.filter(({ role }) => role === 'repartition').map(({ topic }) => topic)
    if (repartition.length === 0) continue
    // Offsets first: whoever runs already may commit meanwhile.
    const inputs = sources.flatMap(({ topic }) => allOf(topic))
    const offsets = await admin.groupOffsets(topology.applicationId, inputs)
    const read = offsets.find((offset) => offset !== null && highestEventTimeOf(offset.metadata) !== null)
    if (read == null) continue
    const ends = await admin.listOffsets(repartition.flatMap(allOf), 'highWatermark')
    if (ends.some((end) => end > 0)) continue
    const { partition, offset } = read
    throw new CodedError('TOPIC_RECREATED', {
      operation: 'check topics',
      topic: repartition.join(', '),
      detail:
        `Nothing was ever written to it, but the group has read ${partition.topic}/${partition.partition} up to ${offset}, ` +
        'and what it counted of that stood there.',
    })
  }
}
