/**
 * Limit: a consumer as one writes it with kafkajs alone. JSON.parse, a count for each value of each dimension in memory, nothing
 * written, no offset committed. Says its counts when it has seen LOGINS records, and ends.
 */
import { Kafka, logLevel } from 'kafkajs'

const { KAFKA_BROKERS = '', INPUT_TOPIC = '', DIMENSIONS = '', LOGINS = '0', GROUP_ID = '' } = process.env
const fields = DIMENSIONS.split(',')
const counts = fields.map(() => new Map<string, number>())
const logins = Number(LOGINS)
let seen = 0

function count(value: Buffer): void {
  const login = JSON.parse(value.toString()) as Record<string, string | null | undefined>
  for (const [index, field] of fields.entries()) {
    const counted = login[field] || 'unknown'
    const own = counts[index]
    own?.set(counted, (own.get(counted) ?? 0) + 1)
  }
}

const kafka = new Kafka({ brokers: KAFKA_BROKERS.split(','), clientId: 'limit', logLevel: logLevel.ERROR })
const consumer = kafka.consumer({
  groupId: GROUP_ID,
  maxBytesPerPartition: 4 << 20,
  maxBytes: 32 << 20,
  readUncommitted: false,
})
await consumer.connect()
await consumer.subscribe({ topic: INPUT_TOPIC, fromBeginning: true })
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    for (const { value } of batch.messages) if (value !== null) count(value)
    seen += batch.messages.length
    if (seen >= logins) report()
  },
})

function report(): void {
  const rows = fields.flatMap((field, index) =>
    [...(counts[index] ?? [])].map(([value, number]) => [`${field}:${encodeKeyPart(value)}`, number]),
  )
  console.log(JSON.stringify({ msg: 'counted', counts: Object.fromEntries(rows) }))
}

/** As in the keys of the table. */
function encodeKeyPart(value: string): string {
  return value.replaceAll('%', '%25').replaceAll(':', '%3A').replaceAll('+', '%2B')
}
