import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaAdmin, KafkaClient } from '../../ports/kafka.ts'
import { newTopic, readPartition } from '../../streams/index.ts'
import type { Config } from '../config/index.ts'
import type { KnownProgress } from './replay-decision.ts'
import { decodeMark, type ReplayMark } from './replay-progress.ts'
import { type DeadLetterTopics, progressTopic } from './topics.ts'

/** How far the replays of all kinds have got, by partition. `code` null: those of all codes. */
export interface AllProgress {
  of(partition: number): KnownProgress
  mark(code: string | null, partition: number): ReplayMark | null
}

interface ProgressReading {
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly cancelled?: () => boolean
}

type Told = NonNullable<ReturnType<typeof decodeMark>>

/** Kafka ends the transaction of a replay that was killed after ten seconds; one that is open so long is left for good. */
const longestTransactionMs = 60_000

/**
 * Reads all progress that had been written when it was called, and waits for the transaction of a replay that is still open; where
 * `cancelled` ends that, what it gives is not all. `ends`: of the dead-letter topic's partitions. Throws FORMAT_TOO_NEW, CORRUPT_BATCH, TRANSACTION_HANGING, and what the Kafka port throws.
 */
export async function readProgress(
  { kafka, clock, cancelled = () => false }: ProgressReading,
  topics: DeadLetterTopics,
  ends: readonly number[],
): Promise<AllProgress> {
  const last = new Map<string, Told>()
  if (topics.progress !== null) {
    const partition = { topic: topics.progress, partition: 0 }
    const [from = 0] = await kafka.admin.listOffsets([partition], 'earliest')
    const [to = 0] = await kafka.admin.listOffsets([partition], 'highWatermark')
    await readPartition({
      ...{ kafka, clock, partition, from, to, cancelled },
      operation: 'read how far replays have got',
      maxHeldBackMs: longestTransactionMs,
      onRecords: (records) => {
        for (let record = records.next(); record !== null; record = records.next()) {
          const told = decodeMark(record.key(), record.value(), topics, (at) => ends[at] ?? 0)
          if (told !== null) last.set(JSON.stringify(told.place), told)
        }
      },
    })
  }
  const byPartition = Map.groupBy(last.values(), ({ place }) => place.partition)
  // Asked for with every letter.
  const known = ends.map((_, partition) => knownOf(byPartition.get(partition) ?? [], topics.dlq.name))
  const of = (partition: number) => known[partition] ?? knownOf([], topics.dlq.name)
  return { of, mark: (code, partition) => (code === null ? of(partition).plain : of(partition).ofCode(code)) }
}

/** What is told of one partition. */
function knownOf(told: readonly Told[], dlq: string): KnownProgress {
  const here = told.filter(({ place }) => place.dlq === dlq)
  const byCode = new Map(here.map(({ place, mark }) => [place.code, mark]))
  return {
    plain: byCode.get(null) ?? null,
    ofCode: (code) => byCode.get(code) ?? null,
    all: told.map(({ mark }) => mark),
  }
}

/**
 * Makes the topic that keeps the progress, if it is missing, and gives its name. Throws TOPIC_MISMATCH for one that might lose it: not
 * compacted, or of several partitions.
 */
export async function setUpProgress(admin: KafkaAdmin, config: Config): Promise<string> {
  const name = progressTopic(config)
  const policy = 'cleanup.policy'
  if (!(await admin.topics([name])).has(name))
    await admin.createTopics([newTopic(name, 1, config, { [policy]: 'compact' })])
  const found = (await admin.topicConfig(name)).get(policy)
  const partitionCount = (await admin.topics([name])).get(name)?.partitionCount
  if (found === 'compact' && (partitionCount ?? 1) === 1) return name
  throw new CodedError('TOPIC_MISMATCH', {
    operation: 'check how far replays have got',
    topic: name,
    detail: `It has ${policy}=${found ?? ''}, partitions=${partitionCount}; ${policy}=compact, partitions=1 are expected.`,
  })
}
