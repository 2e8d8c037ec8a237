import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodePartial, encodePartial, markLast } from '../../../../src/streams/aggregate/partial.ts'

const headers = fc.record({
  sourcePartition: fc.nat(100_000),
  streamTime: fc.option(fc.nat(2 ** 43)),
  offsets: fc.array(fc.nat(2 ** 50), { maxLength: 4 }),
})

test('a partial is read as it was written, wherever it stands in a buffer', () => {
  fc.assert(
    fc.property(
      headers,
      fc.option(fc.uint8Array({ maxLength: 40 })),
      fc.boolean(),
      fc.nat(9),
      (header, delta, isLast, before) => {
        const bytes = encodePartial(header, delta === null ? null : Buffer.from(delta))
        if (isLast) markLast(bytes)
        const around = Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.alloc(3, 7)])
        const end = before + bytes.length
        const decoded = decodePartial(around, before, end)
        expect(decoded.header).toEqual({ ...header, isLast, hasDelta: delta !== null })
        expect(around.subarray(decoded.deltaStart, end)).toEqual(Buffer.from(delta ?? []))
      },
    ),
  )
})

test('a partial stays as it is when the next one is encoded', () => {
  const header = { sourcePartition: 3, streamTime: 1_695_000_000_000, offsets: [7] }
  const first = encodePartial(header, Buffer.from('first'))
  const before = Buffer.from(first)
  encodePartial({ ...header, sourcePartition: 4 }, Buffer.from('second'))
  expect(first).toEqual(before)
})

test('a partial of a newer format is refused', () => {
  const bytes = encodePartial({ sourcePartition: 0, streamTime: null, offsets: [] }, null)
  bytes[0] = 2
  expect(() => decodePartial(bytes, 0, bytes.length)).toThrow(
    expect.objectContaining({ code: 'FORMAT_TOO_NEW' }),
  )
})
