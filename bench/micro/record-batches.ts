/**
 * How fast record batches are encoded and walked, on one core, without a broker: 20,000 records, about as many as one fetch
 * answer holds, with a key of 12 bytes, one per millisecond. A few seconds. Walking includes the checksums, which for large
 * values are most of it.
 */
import { committedRecords } from '../../src/kafka/records/committed-records.ts'
import type { Compression } from '../../src/kafka/records/compression.ts'
import { RecordBatchBuilder } from '../../src/kafka/records/record-batch-builder.ts'

const recordCount = 20_000
const smallValueBytes = 40
const secondsEach = 0.5
const value = Buffer.from(
  JSON.stringify({ user_id: '424cdd21-063a-43a7-b91b-7ca1a833afae' }).padEnd(200, '.'),
)
const key = Buffer.from('key-00000000')
const source = Buffer.concat([key, value])
const producer = { producerId: 1n, producerEpoch: 0, baseSequence: 0, transactional: true }

function fill(compression: Compression, valueBytes = value.length): RecordBatchBuilder {
  const builder = new RecordBatchBuilder({ compression })
  for (let index = 0; index < recordCount; index++) {
    builder.appendRange(source, 0, 12, source, 12, 12 + valueBytes, 1_700_000_000_000 + index)
  }
  return builder
}

async function encoded(compression: Compression, valueBytes?: number): Promise<Buffer> {
  const batches = await fill(compression, valueBytes).build(producer)
  let offset = 0n
  for (const { batch, recordCount: count } of batches) {
    batch.writeBigInt64BE(offset)
    offset += BigInt(count)
  }
  return Buffer.concat(batches.map(({ batch }) => batch))
}

function walk(records: Buffer): number {
  const fetched = committedRecords({
    topic: 'bench',
    partition: 0,
    fetchOffset: 0,
    records,
    abortedTransactions: [],
    lastStableOffset: recordCount,
    logStartOffset: 0,
  })
  let bytes = 0
  for (let record = fetched.next(); record !== null; record = fetched.next()) {
    bytes += record.valueEnd - record.valueStart
  }
  return bytes
}

async function measure(name: string, round: () => unknown): Promise<void> {
  for (let index = 0; index < 10; index++) await round()
  const start = performance.now()
  let rounds = 0
  while (performance.now() - start < secondsEach * 1000) {
    await round()
    rounds++
  }
  const seconds = (performance.now() - start) / 1000
  console.log(
    `${name.padEnd(18)} ${((rounds * recordCount) / seconds / 1e6).toFixed(1).padStart(6)} M records/s`,
  )
}

await measure('append', () => fill('none'))
await measure(`append, ${smallValueBytes} bytes`, () => fill('none', smallValueBytes))
const small = await encoded('none', smallValueBytes)
await measure(`walk, ${smallValueBytes} bytes`, () => walk(small))
for (const compression of ['none', 'lz4', 'zstd', 'snappy', 'gzip'] as const) {
  const records = await encoded(compression)
  await measure(`build ${compression}`, () => fill(compression).build(producer))
  await measure(`walk ${compression}`, () => walk(records))
}
