import { CodedError } from '../errors.ts'
import { type KafkaClient, partitionsOf, type TopicPartition } from '../ports/kafka.ts'
import type { Log } from '../ports/log.ts'
import { readPartition, StateDirectory } from '../streams/index.ts'
import { systemClock } from '../system/clock.ts'
import { levelDatabaseOpener } from '../system/level-database.ts'
import { systemRandom } from '../system/random.ts'
import { stateFiles } from '../system/state-files.ts'
import type { Config } from './config/index.ts'
import { counted } from './format.ts'
import { kafkaOf } from './kafka-client.ts'

/** What a reset has done. */
export interface ResetReport {
  readonly deletedGroup: string
  readonly deletedTopics: readonly string[]
  /** Rows of the table that got a tombstone; null where the table was kept. */
  readonly tombstones: number | null
  readonly deletedState: string
}

interface ResetOptions {
  readonly keepTable: boolean
  /** Told where transactions on the table that are still open are to be waited for, so long at the most. */
  readonly onWaiting: (longestMs: number) => void
}

/**
 * Forgets everything that was counted:
 *
 *   1. the committed offsets: from here on a processor refuses to start (OFFSET_LOST) until the reset is complete,
 *   2. the rows of the table, by tombstones, unless it is kept,
 *   3. the internal topics, the changelog last,
 *   4. the local state.
 *
 * How far dead letters have been replayed is not forgotten: the copies are in the input, which is counted again with them.
 *
 * After an interruption it can be run again. Throws GROUP_ACTIVE, STATE_DIR_IN_USE, and TRANSACTION_HANGING where a transaction on the table
 * does not end.
 */
export async function reset(config: Config, log: Log, options: ResetOptions): Promise<ResetReport> {
  const kafka = kafkaOf(config, log, `${config.appId}-reset`)
  try {
    await refuseIfActive(kafka, config.appId)
    // 1.
    await kafka.admin.deleteGroup(config.appId)
    // 2.
    const tombstones = options.keepTable ? null : await emptyTable(kafka, config, options)
    // 3.
    const internal = [`${config.appId}-counts-repartition`, `${config.appId}-counts-changelog`]
    const existing = await kafka.admin.topics(internal)
    const deletedTopics = internal.filter((topic) => existing.has(topic))
    for (const topic of deletedTopics) await kafka.admin.deleteTopics([topic])
    // 4.
    await StateDirectory.remove({
      stateDir: config.stateDir,
      appId: config.appId,
      opener: levelDatabaseOpener,
      files: stateFiles,
    })
    return {
      deletedGroup: config.appId,
      deletedTopics,
      tombstones,
      deletedState: `${config.stateDir}/${config.appId}`,
    }
  } finally {
    await kafka.close()
  }
}

async function refuseIfActive(kafka: KafkaClient, groupId: string): Promise<void> {
  const { members } = await kafka.admin.describeGroup(groupId)
  if (members.length === 0) return
  const who = members.map(({ clientId, clientHost }) => `${clientId} at ${clientHost}`).join(', ')
  throw new CodedError('GROUP_ACTIVE', {
    operation: 'reset',
    detail: `The group ${groupId} has ${counted(members.length, 'member')}: ${who}.`,
  })
}

/** Writes a tombstone for every row; returns how many. */
async function emptyTable(kafka: KafkaClient, config: Config, { onWaiting }: ResetOptions): Promise<number> {
  const topic = config.outputTopic
  const partitionCount = (await kafka.admin.topics([topic])).get(topic)?.partitionCount ?? 0
  const partitions = partitionsOf(topic, partitionCount)
  if (await isHeldBack(kafka, partitions)) onWaiting(longestTransactionMs)
  const producer = kafka.producer({
    transactionalId: `${config.appId}-reset-${systemRandom.id()}`,
    transactionTimeoutMs: 60_000,
  })
  let tombstones = 0
  for (const partition of partitions) {
    const keys = await rowKeys(kafka, partition)
    if (keys.size === 0) continue
    if (tombstones === 0) await producer.init()
    const records = producer.appender()
    for (const key of keys) records.append(Buffer.from(key, 'latin1'), null, systemClock.now())
    await producer.send([{ partition, records }])
    await producer.commit()
    tombstones += keys.size
  }
  producer.close()
  return tombstones
}

/** Kafka ends the transaction of a processor that was killed after ten seconds, that of a reset after a minute, and looks for them each ten. */
const longestTransactionMs = 90_000

/** Whether transactions hold the end of what may be read back. */
async function isHeldBack(kafka: KafkaClient, partitions: readonly TopicPartition[]): Promise<boolean> {
  const stable = await kafka.admin.listOffsets(partitions, 'lastStable')
  const ends = await kafka.admin.listOffsets(partitions, 'highWatermark')
  return ends.some((end, index) => (stable[index] ?? 0) < end)
}

/** Rows of transactions that are still open, or whose markers are not written yet, are waited for: they may be there in a moment. */
async function rowKeys(kafka: KafkaClient, partition: TopicPartition): Promise<Set<string>> {
  const keys = new Set<string>()
  const [from = 0] = await kafka.admin.listOffsets([partition], 'earliest')
  const [to = 0] = await kafka.admin.listOffsets([partition], 'highWatermark')
  await readPartition({
    kafka,
    clock: systemClock,
    partition,
    from,
    to,
    operation: 'look for the rows of the table',
    maxHeldBackMs: longestTransactionMs,
    onRecords: (records) => {
      for (let record = records.next(); record !== null; record = records.next()) {
        const key = record.key()?.toString('latin1')
        if (key === undefined) continue
        if (record.valueStart < 0) keys.delete(key)
        else keys.add(key)
      }
    },
  })
  return keys
}
