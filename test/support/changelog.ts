/** The changelog of an application with one partition of the keyed stage, seen and disturbed from outside. */
import { runKafkaTool } from '../../src/local-kafka/index.ts'
import type { TransactionalProducer } from '../../src/ports/kafka.ts'
import { keySpace } from '../../src/streams/store/envelope.ts'
import { systemClock } from '../../src/system/clock.ts'
import { systemRandom } from '../../src/system/random.ts'
import { openReader, type RecordBatch, readBatches, readCommitted } from '../../src/verify/index.ts'
import type { Application } from './application.ts'

export function changelogOf(application: Application): string {
  return `${application.config.appId}-counts-changelog`
}

/** Made before the first start, so that it has settings of the test's own. */
export async function createChangelog(
  application: Application,
  config: Record<string, string> = {},
): Promise<void> {
  await application.kafka.admin.createTopics([
    {
      name: changelogOf(application),
      partitionCount: 1,
      replicationFactor: -1,
      config: { 'cleanup.policy': 'compact', ...config },
    },
  ])
}

export async function alterChangelog(
  application: Application,
  config: Record<string, string>,
): Promise<void> {
  const settings = Object.entries(config).map(([name, value]) => `${name}=[${value}]`)
  const servers = application.config.brokers.join(',')
  const { exitCode, stderr } = await runKafkaTool('kafka.admin.ConfigCommand', [
    ...['--bootstrap-server', servers, '--alter', '--topic', changelogOf(application)],
    ...['--add-config', settings.join(',')],
  ])
  if (exitCode !== 0) throw new Error(stderr)
}

/** Start and end (high watermark). */
export async function rangeOf(application: Application): Promise<{ start: number; end: number }> {
  const partitions = [{ topic: changelogOf(application), partition: 0 }]
  const [start = 0] = await application.kafka.admin.listOffsets(partitions, 'earliest')
  const [end = 0] = await application.kafka.admin.listOffsets(partitions, 'highWatermark')
  return { start, end }
}

/** Deletes what stands before the offset, which Kafka refuses for a topic that is only compacted. */
export async function truncateChangelog(application: Application, offset: number): Promise<void> {
  await alterChangelog(application, { 'cleanup.policy': 'compact,delete' })
  await application.kafka.admin.deleteRecords([
    { partition: { topic: changelogOf(application), partition: 0 }, offset },
  ])
  await alterChangelog(application, { 'cleanup.policy': 'compact' })
}

export interface BatchSummary {
  /** Records of data, aborted ones included. */
  records: number
  markers: number
  /** Batches that compaction has left without records. */
  empty: number
}

export async function batchesOf(application: Application, from = 0): Promise<BatchSummary> {
  const reader = await openReader({ brokers: application.config.brokers }, systemClock)
  const summary = { records: 0, markers: 0, empty: 0 }
  try {
    const [end = 0] = await reader.offsets(changelogOf(application), 'lastStable')
    for (let position = from; position < end; ) {
      const { records } = await reader.fetch(changelogOf(application), 0, position, 1 << 20)
      const before = position
      for (const batch of readBatches(records)) {
        if (batch.lastOffset < position) continue
        add(summary, batch)
        position = batch.lastOffset + 1
      }
      if (position === before) break
    }
    return summary
  } finally {
    await reader.close()
  }
}

function add(summary: BatchSummary, batch: RecordBatch): void {
  if (batch.recordCount === 0) summary.empty += 1
  else if (batch.isControl) summary.markers += 1
  else summary.records += batch.recordCount
}

/**
 * By partition, the entries of the largest commit: so many a store can be behind, whose process was killed between a commit and the write
 * to the store. Each commit ends with a marker, which has an offset of its own. To be asked before anything is compacted.
 */
export async function largestCommits(application: Application): Promise<number[]> {
  const { brokers } = application.config
  const commits: { entries: number; largest: number; next: number }[] = []
  const add = (offset: number, isEntry: boolean, partition: number): void => {
    const { entries, largest, next } = commits[partition] ?? { entries: 0, largest: 0, next: offset }
    const sum = (offset === next ? entries : 0) + (isEntry ? 1 : 0)
    commits[partition] = { entries: sum, largest: Math.max(largest, sum), next: offset + 1 }
  }
  const ends = await readCommitted(
    { brokers },
    changelogOf(application),
    { clock: systemClock },
    ({ key, offset }, partition) => add(offset, key?.[0] === keySpace.data, partition),
  )
  return ends.map((_, partition) => commits[partition]?.largest ?? 0)
}

/** Waits for compaction, of which the broker does as it likes. */
export async function compactedUntil(
  application: Application,
  isEnough: (summary: BatchSummary) => boolean,
  from = 0,
): Promise<void> {
  const deadline = systemClock.monotonic() + 60_000
  for (;;) {
    const summary = await batchesOf(application, from)
    if (isEnough(summary)) return
    if (systemClock.monotonic() > deadline) throw new Error(`not compacted: ${JSON.stringify(summary)}`)
    await systemClock.sleep(200)
  }
}

/** Records of a key that exists, and a meta record, which nobody may ever see. */
export class ForeignTransaction {
  readonly #topic: string
  readonly #producer: TransactionalProducer

  static async begin(application: Application): Promise<ForeignTransaction> {
    const producer = application.kafka.producer({
      transactionalId: `${changelogOf(application)}-foreign-${systemRandom.id()}`,
      transactionTimeoutMs: 30_000,
    })
    await producer.init()
    return new ForeignTransaction(changelogOf(application), producer)
  }

  private constructor(topic: string, producer: TransactionalProducer) {
    this.#topic = topic
    this.#producer = producer
  }

  async send(): Promise<void> {
    const records = this.#producer.appender()
    records.append(Buffer.from('\u0001total'), Buffer.from('never'), systemClock.now())
    records.append(Buffer.from('\u0000'), Buffer.from('{"version":1}'), systemClock.now())
    await this.#producer.send([{ partition: { topic: this.#topic, partition: 0 }, records }])
  }

  async abort(): Promise<void> {
    await this.#producer.abort()
    this.#producer.close()
  }
}
