/** Whether the topics are still those that were counted. */
import { CodedError } from '../errors.ts'
import type { Changelog } from './changelog.ts'
import type { Differences } from './differences.ts'
import type { KafkaReader } from './kafka-connection.ts'
import type { RecreatedTopic } from './report.ts'

export interface CommittedRepartition {
  readonly topic: string
  /** By partition, as committed before the changelog was read; null for none. */
  readonly offsets: readonly (number | null)[]
}

/**
 * Topics that are not those which the last meta records name; the changelog too, where it holds no commit although the group
 * has some. A changelog that has only lost commits is told to `differences`.
 */
export async function recreatedTopics(
  reader: KafkaReader,
  changelogTopic: string,
  changelog: Changelog,
  committed: CommittedRepartition | null,
  differences: Differences,
): Promise<RecreatedTopic[]> {
  const recreated: RecreatedTopic[] = []
  const noted = new Map(changelog.partitions.flatMap(({ meta }) => Object.entries(meta?.topicIds ?? {})))
  for (const [topic, was] of noted) {
    const isThere = (await reader.partitionCount(topic)) !== null
    const is = isThere ? await reader.topicId(topic) : null
    if (is !== was && (is !== null || !isThere)) recreated.push({ topic, was, is })
  }
  if (committed !== null && hasLostCommits(changelog, committed, differences))
    recreated.push({ topic: changelogTopic, was: null, is: await reader.topicId(changelogTopic) })
  return recreated
}

/** Whether none of the commits are there; where some partitions have lost some, they are told. */
function hasLostCommits(
  changelog: Changelog,
  { topic, offsets }: CommittedRepartition,
  differences: Differences,
): boolean {
  const counted = changelog.partitions.map(({ meta }) => meta?.inputOffsets[topic] ?? 0)
  const isLost = (partition: number) => (offsets[partition] ?? 0) > (counted[partition] ?? 0)
  const lost = [...offsets.keys()].filter(isLost)
  if (lost.length > 0 && changelog.partitions.every(({ meta }) => meta === null)) return true
  for (const partition of lost)
    differences.add({
      ...{ where: 'offsets', what: 'committed beyond the changelog', key: topic, partition },
      expected: counted[partition] ?? 0,
      found: offsets[partition] ?? 0,
    })
  return false
}

/** Throws FINGERPRINT_MISMATCH where the state was made with other settings. */
export function checkFingerprint(expected: Readonly<Record<string, string>>, changelog: Changelog): void {
  for (const { meta } of changelog.partitions) {
    if (meta === null) continue
    const stored = meta.fingerprint
    const differing = Object.keys(expected).filter((name) => expected[name] !== stored[name])
    if (differing.length === 0) continue
    const each = differing.map(
      (name) => `${name} is ${expected[name] ?? 'not set'}, was ${stored[name] ?? 'not set'}`,
    )
    throw new CodedError('FINGERPRINT_MISMATCH', { operation: 'verify', detail: `${each.join('; ')}.` })
  }
}
