import { describe, expect, test } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { stableOffsets } from '../../../src/kafka/group-offsets.ts'
import { kafkaError } from '../../../src/kafka/wire/wire.ts'
import { codeOf, scripted } from './scripted-wire.ts'

const place = { topic: 't', partition: 0 }
const unreachable = new CodedError('KAFKA_UNREACHABLE', { operation: 'wire' })

function answer(errorCode: number, offset: number) {
  return { errorCode: 0, partitions: [{ ...place, errorCode, offset, metadata: '' }] }
}

describe('committed offsets', () => {
  test('are waited for while a transaction is pending', async () => {
    const { wire, context } = scripted()
    wire.script('OffsetFetch', answer(kafkaError.UNSTABLE_OFFSET_COMMIT, -1), answer(0, 7))
    expect(await stableOffsets(context, 'g', [place])).toEqual([
      { partition: place, offset: 7, metadata: '' },
    ])
  })

  test('of a transaction that never ends are TRANSACTION_HANGING, which no retry mends', async () => {
    const { wire, context } = scripted()
    wire.script('OffsetFetch', answer(kafkaError.UNSTABLE_OFFSET_COMMIT, -1))
    const start = context.clock.monotonic()
    expect(await codeOf(() => stableOffsets(context, 'g', [place]))).toBe('TRANSACTION_HANGING')
    expect(context.clock.monotonic() - start).toBeGreaterThanOrEqual(30_000)
  })

  test('that are unstable now and then, between failures, are asked for again', async () => {
    const { wire, context } = scripted()
    let turn = 0
    wire.on('OffsetFetch', () =>
      turn++ % 2 === 0 ? answer(kafkaError.UNSTABLE_OFFSET_COMMIT, -1) : unreachable,
    )
    expect(await codeOf(() => stableOffsets(context, 'g', [place]))).toMatch(/^KAFKA_/)
  })
})
