import fc from 'fast-check'
import { expect, test } from 'vitest'
import { databaseKey, keySpace } from '../../../../src/streams/store/envelope.ts'
import { indexBound, indexEntryKey, parseIndexEntry } from '../../../../src/streams/store/index-entry.ts'

const bytes = fc
  .array(fc.constantFrom(0, 1, 2, 0x61, 0xfe, 0xff), { maxLength: 4 })
  .map((list) => Buffer.from(list))
const entry = (index: Buffer, key: Buffer) => databaseKey(keySpace.index, indexEntryKey(index, key))

test('index entries can be read back, and sort by index, then key', () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, bytes, (indexA, keyA, indexB, keyB) => {
      expect(parseIndexEntry(entry(indexA, keyA))).toEqual({ index: indexA, key: keyA })
      const order = indexA.compare(indexB) || keyA.compare(keyB)
      expect(entry(indexA, keyA).compare(entry(indexB, keyB))).toBe(order)
      expect(entry(indexA, keyA).compare(indexBound(indexB)) < 0).toBe(indexA.compare(indexB) < 0)
    }),
    { numRuns: 2000 },
  )
})
