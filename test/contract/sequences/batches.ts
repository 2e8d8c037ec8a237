/** Record batches as bytes: made for the commands, and told apart in answers. */
import { batchAt } from '../../../src/kafka/records/batch-format.ts'
import { RecordBatchBuilder } from '../../../src/kafka/records/record-batch-builder.ts'
import { recordsIn, storedBatch } from '../../simulation/broker/batches.ts'

export interface BatchSpec {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly records: number
  readonly bytes: number
  readonly isDamaged: boolean
}

const timestamp = 1_700_000_000_000
/** Every third key looks like that of an abort marker. */
const markerLikeKey = Buffer.alloc(4)

export async function batchOf(spec: BatchSpec): Promise<Buffer> {
  const builder = new RecordBatchBuilder({ compression: 'none', maxBatchBytes: 10_000_000 })
  for (let at = 0; at < spec.records; at++) {
    builder.append(at % 3 === 2 ? markerLikeKey : null, Buffer.alloc(spec.bytes, 97 + at), timestamp + at)
  }
  const [built] = await builder.build({ ...spec, transactional: spec.producerId >= 0n })
  const batch = built?.batch ?? Buffer.alloc(0)
  if (spec.isDamaged) batch.writeInt32BE(batch.readInt32BE(batchAt.crc) ^ 1, batchAt.crc)
  return batch
}

/**
 * What an answer to a fetch holds, a line for each batch, and the offset after the last whole one. Left out: timestamps of markers,
 * the leader's epoch in batches, the coordinator's in markers.
 */
export function describeRecords(
  records: Buffer,
  labelOf: (producerId: bigint) => string,
): { batches: string[]; end: number } {
  const batches: string[] = []
  let end = -1
  let at = 0
  while (records.length - at >= batchAt.records) {
    const length = 12 + records.readInt32BE(at + batchAt.length)
    if (records.length - at < length) break
    const batch = storedBatch(records.subarray(at, at + length))
    const { baseOffset, lastOffset, producerEpoch, baseSequence, recordCount } = batch
    const attributes = batch.bytes.readInt16BE(batchAt.attributes)
    const what = batch.isControl
      ? `marker ${recordsIn(batch)[0]?.key?.toString('hex')}`
      : `${recordCount} records ${batch.bytes.subarray(batchAt.records).toString('hex').slice(0, 60)}`
    const times = batch.isControl ? '' : batch.bytes.readBigInt64BE(batchAt.maxTimestamp)
    batches.push(
      `${baseOffset}-${lastOffset} ${length} bytes, attributes ${attributes}, ${labelOf(batch.producerId)} epoch ${producerEpoch} sequence ${baseSequence}: ${what} ${times}`,
    )
    end = lastOffset + 1
    at += length
  }
  if (at < records.length) batches.push(`${records.length - at} bytes of the next`)
  return { batches, end }
}
