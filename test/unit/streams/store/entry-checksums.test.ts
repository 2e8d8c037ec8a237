import fc from 'fast-check'
import { expect, test } from 'vitest'
import { absent, EntryChecksums } from '../../../../src/streams/store/entry-checksums.ts'

test('checksums by key answer like a map, also while growing', () => {
  const key = fc.string({ maxLength: 2 })
  const step = fc.tuple(key, fc.option(fc.nat(0xffff_ffff), { nil: absent }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const keys = new EntryChecksums(1000, 16)
      const model = new Map<string, number>()
      for (const [name, checksum] of steps) {
        expect(keys.exchange(Buffer.from(name), checksum)).toBe(model.get(name) ?? absent)
        model.set(name, checksum)
      }
      for (const [name, checksum] of model) expect(keys.get(Buffer.from(name))).toBe(checksum)
    }),
  )
})

test('a hundred thousand similar keys have different fingerprints', () => {
  const keys = new EntryChecksums()
  for (let n = 0; n < 100_000; n += 1) expect(keys.exchange(Buffer.from(`locale:${n}`), n)).toBe(absent)
  expect(keys.hasRoomFor(2_400_000)).toBe(true)
  expect(keys.hasRoomFor(2_400_001)).toBe(false)
})
