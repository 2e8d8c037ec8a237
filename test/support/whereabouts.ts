import { Kafka, logLevel } from 'kafkajs'
import { createKafkajsWire } from '../../src/kafka/wire/kafkajs-wire.ts'
import { systemClock } from '../../src/system/clock.ts'
import { createLogger } from '../../src/system/logger.ts'

const timeoutMs = 60_000
const pollMs = 100

/** The broker that leads a partition now. */
export async function leaderOf(
  brokers: readonly string[],
  topic: string,
  partition: number,
): Promise<number> {
  const topics = await metadata(brokers, [topic])
  const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)
  if (found === undefined || found.leader < 0) throw new Error(`${topic}-${partition} has no leader`)
  return found.leader
}

/** The broker that coordinates a group or a transactional id now. */
export async function coordinatorOf(
  brokers: readonly string[],
  kind: 'group' | 'transaction',
  key: string,
): Promise<number> {
  const wire = createKafkajsWire({
    bootstrapServers: brokers,
    clientId: 'whereabouts',
    clock: systemClock,
    log: createLogger({ level: 'silent' }),
  })
  try {
    const request = { key, keyType: kind === 'group' ? 0 : 1 } as const
    const { errorCode, nodeId } = await wire.send('bootstrap', 'FindCoordinator', request, {
      timeoutMs: 5000,
      lane: 'control',
    })
    if (errorCode !== 0) throw new Error(`no coordinator of ${kind} ${key}: error ${errorCode}`)
    return nodeId
  } finally {
    await wire.close()
  }
}

/**
 * Waits until every replica of every partition is in sync again. Before that, the death of one more broker would leave
 * partitions without a leader, and the fault would be another one.
 */
export async function allInSync(brokers: readonly string[]): Promise<void> {
  const deadline = systemClock.monotonic() + timeoutMs
  for (;;) {
    const topics = await metadata(brokers)
    const behind = topics.flatMap(({ name, partitions }) =>
      partitions
        .filter(({ isr, replicas }) => isr.length < replicas.length)
        .map(({ partitionId }) => `${name}-${partitionId}`),
    )
    if (behind.length === 0) return
    if (systemClock.monotonic() > deadline) throw new Error(`not in sync in time: ${behind.join()}`)
    await systemClock.sleep(pollMs)
  }
}

async function metadata(brokers: readonly string[], topics?: string[]) {
  const kafka = new Kafka({ brokers: [...brokers], clientId: 'whereabouts', logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  try {
    return (await admin.fetchTopicMetadata(topics === undefined ? undefined : { topics })).topics
  } finally {
    await admin.disconnect()
  }
}
