/**
 * Limit: fetches, checks CRCs, walks the record batches, scans the bytes of each login and counts. It uses the fetcher and the
 * scanner of the processor, but judges nothing, folds no times, keeps no state and writes nothing. Says its counts when it has seen
 * LOGINS records.
 */
import { connectKafka } from '../../src/kafka/index.ts'
import { FlatObjectScanner, MISSING, NULL, STRING } from '../../src/login-stats/domain/flat-object-scanner.ts'
import { systemClock } from '../../src/system/clock.ts'
import { createLogger } from '../../src/system/logger.ts'
import { keepAlive } from '../../src/system/process.ts'
import { systemRandom } from '../../src/system/random.ts'
import { ByteCounts } from './byte-counts.ts'

const { KAFKA_BROKERS = '', INPUT_TOPIC = '', DIMENSIONS = '', LOGINS = '0' } = process.env
const fields = DIMENSIONS.split(',')
const scanner = new FlatObjectScanner(fields)
const counts = fields.map(() => new ByteCounts())
const unknown = Buffer.from('unknown')
const logins = Number(LOGINS)

function count(bytes: Buffer, start: number, end: number): void {
  if (!scanner.scan(bytes, start, end)) {
    countParsed(bytes.toString('utf8', start, end))
    return
  }
  for (let index = 0; index < counts.length; index++) {
    const kind = scanner.kinds[index] ?? MISSING
    const from = scanner.starts[index] ?? 0
    const to = scanner.ends[index] ?? 0
    if (kind === STRING && to > from) counts[index]?.add(bytes, from, to)
    else if (kind === STRING || kind === MISSING || kind === NULL)
      counts[index]?.add(unknown, 0, unknown.length)
  }
}

/** What is not flat and plain ASCII. */
function countParsed(text: string): void {
  const login = JSON.parse(text) as Record<string, string | null | undefined>
  for (const [index, field] of fields.entries()) {
    const value = Buffer.from(login[field] || 'unknown')
    counts[index]?.add(value, 0, value.length)
  }
}

keepAlive()
const kafka = connectKafka({
  bootstrapServers: KAFKA_BROKERS.split(','),
  clientId: 'limit',
  clock: systemClock,
  random: systemRandom,
  log: createLogger({ level: 'warn' }),
  compression: 'none',
})
const partitions = (await kafka.admin.topics([INPUT_TOPIC])).get(INPUT_TOPIC)?.partitionCount ?? 0
const fetcher = kafka.fetcher({ maxBytesPerPartition: 4 << 20, maxBytes: 16 << 20 })
let wake = () => {}
fetcher.onArrival(() => wake())
for (let partition = 0; partition < partitions; partition++)
  fetcher.seek({ topic: INPUT_TOPIC, partition }, 0)

for (let seen = 0; seen < logins; ) {
  fetcher.throwFailure()
  const chunk = fetcher.poll()
  if (chunk === null) {
    await new Promise<void>((resolve) => {
      wake = resolve
    })
    continue
  }
  // The next fetch is under way while this chunk is counted.
  await systemClock.yield()
  for (let record = chunk.next(); record !== null; record = chunk.next(), seen++) {
    count(record.bytes, record.valueStart, record.valueEnd)
  }
}

const rows = fields.flatMap((field, index) =>
  [...(counts[index]?.entries() ?? [])].map(([value, number]) => [
    `${field}:${encodeKeyPart(value)}`,
    number,
  ]),
)
console.log(JSON.stringify({ msg: 'counted', counts: Object.fromEntries(rows) }))

/** As in the keys of the table. */
function encodeKeyPart(value: string): string {
  return value.replaceAll('%', '%25').replaceAll(':', '%3A').replaceAll('+', '%2B')
}
