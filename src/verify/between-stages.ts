/**
 * Partial counts on their way from the first stage to the second: what is committed of the input stands in the repartition topic until the
 * changelog has counted it. Where the changelog has counted a partition of that to its end, all that is committed of the input must be in
 * the counts there: a login that is not was lost between the stages.
 *
 * The ends of the repartition topic are asked for after the input's committed offsets, so that the partials of those are below them, and
 * only count once no transaction below them is open. What has come since the changelog was read, or was aborted and not passed yet, is
 * taken for under way.
 */
import type { Changelog } from './changelog.ts'
import type { TopicReading } from './topic-reading.ts'

const settleTimeoutMs = 15_000

/** The partitions in which partials are under way as of the changelog's cut; null where there is no such topic. */
export async function partitionsUnderWay(
  reading: TopicReading,
  topic: string,
  changelog: Changelog,
): Promise<ReadonlySet<number> | null> {
  if ((await reading.reader.partitionCount(topic)) === null) return null
  const { ends, stable } = await reading.endsWithin(topic, settleTimeoutMs)
  const isUnderWay = (partition: number) => {
    const end = ends[partition] ?? 0
    const counted = changelog.partitions[partition]?.meta?.inputOffsets[topic] ?? 0
    return counted < end || (stable[partition] ?? 0) < end
  }
  return new Set([...ends.keys()].filter(isUnderWay))
}
